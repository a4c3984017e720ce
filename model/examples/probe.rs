#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;
use sextant_model::{bounds::Bounds, closed::Core, rules::Rules};
use stateright::{Checker, HasDiscoveries, Model};
fn main() {
    let a: Vec<u8> = std::env::args().skip(1).take(4).map(|x| x.parse().unwrap()).collect();
    let mut b = Bounds::of(a[0], a[1]);
    if a[2] == 1 {
        b = b.gossiping();
    }
    b = b.reading(a[3]);
    let dfs = std::env::args().nth(5).is_some();
    let m = Core::new(Rules::adopted(), b);
    let t = std::time::Instant::now();
    let c = m.checker().threads(2).finish_when(HasDiscoveries::AnyFailures);
    fn rep<C: Checker<Core>>(c: &C, b: Bounds, t: std::time::Instant) {
        println!(
            "{b}: unique {} gen {} depth {} {:.1}s",
            c.unique_state_count(),
            c.state_count(),
            c.max_depth(),
            t.elapsed().as_secs_f64()
        );
        for (n, p) in c.discoveries() {
            let props = c.model().properties();
            let pr = props.iter().find(|x| x.name == n).unwrap();
            if matches!(pr.expectation, stateright::Expectation::Always) {
                let acts: Vec<_> = p.into_actions();
                println!("VIOLATION {n} len {}", acts.len());
                let real = c.model().concrete(&acts).unwrap();
                for l in c.model().unreduced().tell(&real).unwrap() {
                    println!("{l}");
                }
            } else {
                print!("[{n}] ");
            }
        }
        println!();
    }
    if dfs { rep(&c.spawn_dfs().join(), b, t) } else { rep(&c.spawn_bfs().join(), b, t) }
}
