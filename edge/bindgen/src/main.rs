//! Turns the compiled Wasm into a JavaScript module that a Worker can import.
//!
//! The build runs `tidegate-bindgen INPUT.wasm OUT_DIR` and finds `tidegate.js` and `tidegate_bg.wasm` in the
//! directory. A separately installed `wasm-bindgen` program would have to be kept at the version of the library by hand;
//! this one is resolved together with it.

use std::{env, error::Error, path::PathBuf};

use wasm_bindgen_cli_support::Bindgen;

/// The stem of both output files.
const NAME: &str = "tidegate";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let (Some(input), Some(directory), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: tidegate-bindgen INPUT.wasm OUT_DIR".into());
    };
    Bindgen::new()
        .input_path(input)
        .out_name(NAME)
        .web(true)?
        // The entry passes the module that the platform compiled; a Worker cannot fetch it by its address.
        .omit_default_module_path(true)
        .typescript(false)
        .keep_debug(false)
        // After a panic the entry can start over in place of answering errors until the isolate is replaced.
        .reset_state_function(true)
        .generate(directory)?;
    Ok(())
}
