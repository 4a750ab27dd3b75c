//! Which pools and which origins, in which order?
//!
//! A request passes three questions, each answered by a pure function of its arguments and of a random number that the
//! caller draws:
//!
//! 1. Where is the client? [`region_of`] turns what the platform knows ([`Location`]) into one of Cloudflare's
//!    load-balancing regions. The table is documented in `docs/regions.md`, and a test holds the two together.
//! 2. Which pools, in which order? [`Steering::order`] gives a [`PoolOrder`] and says why ([`Because`]).
//! 3. Which origin of a pool, and which one when it fails? [`Attempts`] walks the pools in their order, asks each
//!    [`Pool`] for its first choice, and yields another origin after a failure, each at most once.
//!
//! Isolates know nothing of each other. What keeps them from marching in step is that every [`Rotation`] starts at a
//! random phase, and that the origins behind a failed one are asked in random order, so that the share of a dead origin
//! is spread over the others instead of falling on its neighbour.

mod attempts;
mod draw;
mod location;
mod origin;
mod place;
mod pool;
mod region;
mod rendezvous;
mod steering;
mod table;

pub use attempts::{Attempts, Body, Choice, Fleet, Next, Outcome, Retries};
pub use location::{Location, region_of};
pub use origin::{InvalidOrigin, Origin};
pub use place::{Colo, Country, InvalidPlace};
pub use pool::{Balance, InvalidPool, OriginIndex, Pool, Rotation, Rotations};
pub use region::{InvalidRegion, Region};
pub use rendezvous::ClientKey;
pub use steering::{Because, InvalidPoolList, PlaceTable, Policy, PoolIndex, PoolList, PoolOrder, Steering};
