//! The gateway on Cloudflare Workers.
