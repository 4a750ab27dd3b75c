//! Does this request fit its limits?
