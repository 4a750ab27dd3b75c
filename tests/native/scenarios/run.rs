//! One scenario, from its first step to its last.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use tidegate_gateway::Gateway;

use super::edge::Edge;
use super::expect::{Behind, Difference};
use super::file::{Scenario, Shown, Step};
use super::message::{Headers, Request};
use super::token::key_file;
use super::world::{START, World};

/// No rule may depend on a draw of luck.
const SEEDS: [u64; 5] = [0, 1, 2, 3, 0xdead_beef];

/// Runs a file with every seed; the error says what is not as expected.
pub(super) fn run(path: &Path) -> Result<(), String> {
    let scenario = Scenario::read(path)?;
    let tokens: BTreeMap<&str, String> =
        scenario.tokens.iter().map(|(name, token)| (name.as_str(), token.sign(START))).collect();
    scenario.configurations().iter().try_for_each(|(scope, text)| {
        let gateway = Rc::new(gateway(text)?);
        let steps = |seed| Run::new(&scenario, &gateway, &tokens, seed).steps();
        SEEDS.into_iter().try_for_each(steps).map_err(|failure| format!("{scope} {failure}"))
    })
}

/// The gateway that the Worker would load.
pub(super) fn gateway(text: &str) -> Result<Gateway, String> {
    let checked = tidegate_config::check(text, &|name| key_file(name));
    let checked = checked.map_err(|problems| tidegate_config::render(&problems, text, "configuration", false))?;
    tidegate_config::load(&tidegate_config::compile(&checked)).map_err(|error| error.to_string())
}

struct Run<'s> {
    scenario: &'s Scenario,
    tokens: &'s BTreeMap<&'s str, String>,
    world: World,
    edges: Vec<Edge>,
}

impl<'s> Run<'s> {
    fn new(scenario: &'s Scenario, gateway: &Rc<Gateway>, tokens: &'s BTreeMap<&'s str, String>, seed: u64) -> Self {
        let edges = scenario.steps.iter().map(|step| step.edge).max().unwrap_or_default();
        let edges = (0..=edges).map(|edge| Edge::new(gateway, format!("edge{edge}"))).collect();
        Self { scenario, tokens, world: World::new(scenario, seed), edges }
    }

    fn steps(&self) -> Result<(), String> {
        for (index, step) in self.scenario.steps.iter().enumerate() {
            self.set_the_scene(step)?;
            let differences = self.step(step);
            if !differences.is_empty() {
                let lines = differences
                    .iter()
                    .map(|Difference { what, expected, got }| format!("  {what}: expected {expected}, got {got}"));
                let lines: Vec<String> = lines.collect();
                let at = self.world.now.get() - START;
                return Err(format!("step {} ({} at {at:?})\n{}", index + 1, step.request, lines.join("\n")));
            }
        }
        Ok(())
    }

    fn set_the_scene(&self, step: &Step) -> Result<(), String> {
        if let Some(at) = step.at {
            let now = START + at;
            if now < self.world.now.get() {
                return Err(format!("{}: time never runs backwards", step.request));
            }
            self.world.now.set(now);
        }
        if let Some(down) = &step.down {
            self.world.down.replace(down.clone());
        }
        if let Some(limiter) = step.limiter {
            self.world.limiter.set(limiter);
        }
        if let Some(purge_log) = step.purge_log {
            self.world.purge_log.set(purge_log);
        }
        Ok(())
    }

    fn step(&self, step: &Step) -> Vec<Difference> {
        let token = step.token.as_ref().map(|token| match token {
            Shown::Named(name) => self.tokens[name.as_str()].clone(),
            Shown::Own(token) => token.sign(self.world.now.get()),
        });
        let request = request(step, token.as_deref());
        let mut differences = Vec::new();
        for _ in 0..step.repeat {
            let served = self.edges[step.edge].serve(&request, &self.world);
            differences.extend(step.expect.reply(&served));
            // The hot path: what calls nothing is ready at the first poll, and the edge makes no promise of it.
            assert_eq!(served.ready_at_once, !served.called, "{}", step.request);
            if let Some(token) = &token {
                let told = format!("{} {}", served.record.line(), served.response.body);
                assert!(!told.contains(token.as_str()), "{}: a token is told: {told}", step.request);
            }
        }
        let (received, calls) = (self.world.take_received(), self.world.take_calls());
        differences.extend(step.expect.behind(&Behind { received: &received, calls: &calls }));
        differences
    }
}

fn request(step: &Step, token: Option<&str>) -> Request {
    let (method, target) = step.request.split_once(' ').unwrap();
    let mut headers = Headers::default();
    headers.add("host", &step.host);
    headers.add("cf-connecting-ip", &step.ip);
    for (name, lines) in &step.headers {
        lines.iter().for_each(|line| headers.add(name, line));
    }
    match (token, &step.token_cookie) {
        (None, _) => {}
        (Some(token), None) => headers.add("authorization", &format!("Bearer {token}")),
        (Some(token), Some(cookie)) => headers.add("cookie", &format!("{cookie}={token}")),
    }
    if let Some(body) = &step.body {
        headers.add("content-length", &body.len().to_string());
    }
    Request {
        method: method.to_owned(),
        url: format!("http://{}{target}", step.host),
        headers,
        body: step.body.clone(),
        cf: step.cf.clone(),
    }
}
