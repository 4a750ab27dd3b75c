//! Is this token genuine, and meant for us?
