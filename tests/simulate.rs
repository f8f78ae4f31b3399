//! The simulator (`make simulate`): the engine on a system that is made up. What it does stands in `src/simulation`, which is
//! there only with `--cfg simulated`.

fn main() {
    #[cfg(simulated)]
    nanomsg::simulation::main();
}
