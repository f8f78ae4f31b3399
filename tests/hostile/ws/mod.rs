//! WebSocket: what a listening and a connecting socket of ours hear, and say to it.

mod frames;
mod load;
mod requests;
mod responses;
mod unusual;
