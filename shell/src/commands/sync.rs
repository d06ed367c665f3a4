//! `sync`: waits until what was written is where it is kept.

use kapi::OpenFlags;

use crate::env::{Env, File, Status};
use crate::failure::{Failure, Outcome};
use crate::io::go_on;
use crate::job::Job;

/// For `help`.
pub const ABOUT: &str = "waits until files, or all, are written to their disks";

/// `sync [FILE...]`
pub fn sync<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    if job.args.is_empty() {
        return job.env.sync().map(|()| Status::OK).map_err(Failure::from);
    }
    let mut status = Status::OK;
    for path in job.args.iter() {
        go_on(job.env)?;
        let synced = job.env.open(path, OpenFlags::READ | OpenFlags::NONBLOCK).and_then(|file| file.sync());
        if let Err(errno) = synced {
            status = job.complain(&Failure::Named(path, errno), Status::FAILED);
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn sync_names_what_it_could_not_sync() {
        let world = World::new();
        world.put("/f", "x");
        assert_eq!(world.run("sync && sync /f && echo done").out, "done\n");
        let ran = world.run("sync /f /none");
        assert_eq!((ran.err.as_str(), ran.status), ("sync: /none: No such file or directory\n", 1));
    }
}
