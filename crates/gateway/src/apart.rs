//! Steps that most requests skip.

use std::future::Future;
use std::pin::Pin;

/// Takes a step out of the future that every request goes through.
///
/// What is awaited in place becomes a part of that one future and of the one function that drives it. A runtime compiles
/// that function whole when its first request comes, and reads across it for every further one. A step that goes through
/// here is a function of its own, compiled and allocated when a request takes it.
pub(crate) fn apart<'f, T>(step: impl Future<Output = T> + 'f) -> Pin<Box<dyn Future<Output = T> + 'f>> {
    Box::pin(step)
}
