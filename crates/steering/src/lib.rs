//! Which pools and which origins, in which order?
