//! The configuration file: authoring and the compiled form.
