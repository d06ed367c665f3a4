//! What Rust's standard library asks of a kernel.
//!
//! A position-independent program that unwinds, wants random seeds for its maps, and has a child.

use std::collections::HashMap;
use std::process::{Command, exit};
use std::time::{Duration, Instant};
use std::{env, fs, io, panic, thread};

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if arguments.len() > 2 {
        println!("child of rust");
        exit(arguments.len() as i32);
    }
    println!("rust: {}, {} arguments, {:.3}", arguments[0], arguments.len() - 1, arguments.len() as f64 / 3.0);
    let map: HashMap<u32, String> = (0..1000).map(|number| (number, number.to_string())).collect();
    println!("map: {}", map.values().map(String::len).sum::<usize>());
    panic::set_hook(Box::new(|_| {}));
    let caught = panic::catch_unwind(|| arguments[7].len());
    println!("a panic is caught: {}", caught.is_err());
    println!("a file that is missing: {}", fs::read("/nowhere").unwrap_err().kind() == io::ErrorKind::NotFound);
    fs::write("/tmp/of-rust", "text").unwrap();
    println!("a file: {}", fs::read_to_string("/tmp/of-rust").unwrap());
    let before = Instant::now();
    thread::sleep(Duration::from_millis(20));
    println!("time passes: {}", before.elapsed() >= Duration::from_millis(20));
    let status = Command::new(&arguments[0]).args(["a", "b"]).status();
    println!("a child's status: {}", status.map_or(-1, |status| status.code().unwrap_or(-2)));
    // Threads share an address space, which no process here does.
    println!("no threads: {}", thread::Builder::new().spawn(|| ()).is_err());
    exit(4);
}
