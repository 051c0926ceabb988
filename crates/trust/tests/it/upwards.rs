//! Is the nearest file found, and none beyond the end?

use std::fs;
use std::path::Path;

use annals_trust::{Error, find_upwards};

use crate::support::Place;

#[test]
fn the_nearest_hit_wins_and_stop_is_the_last_that_is_looked_into() {
    let place = Place::new();
    let deep = place.project.join("a/b/c");
    fs::create_dir_all(&deep).unwrap();
    let find = |stop: Option<&Path>| find_upwards(&deep, ".aish.lua", stop).unwrap();
    assert_eq!(find(Some(&place.root)), None);
    fs::write(place.root.join(".aish.lua"), "root").unwrap();
    assert_eq!(find(Some(&place.root)), Some(place.root.join(".aish.lua")));
    assert_eq!(find(Some(&place.project)), None, "it is above");
    fs::write(place.project.join(".aish.lua"), "project").unwrap();
    assert_eq!(find(Some(&place.project)), Some(place.project.join(".aish.lua")));
    // A folder or a dangling link of that name is a hit: something nearer must not be passed over for something farther.
    std::os::unix::fs::symlink("nowhere", place.project.join("a/.aish.lua")).unwrap();
    assert_eq!(find(None), Some(place.project.join("a/.aish.lua")));
    fs::write(deep.join(".aish.lua"), "deep").unwrap();
    assert_eq!(find(None), Some(deep.join(".aish.lua")));
    // `/…/proj` is not where `/…/project` is.
    let beside = place.root.join("proj");
    let nothing = find_upwards(&place.project.join("a/b"), "no such name", Some(&beside)).unwrap();
    assert_eq!(nothing, None);
}

#[test]
fn a_name_is_a_name() {
    for name in ["", ".", "..", "a/b", "/etc/passwd", "../x", "x/", "./x", "x/."] {
        assert!(matches!(find_upwards(Path::new("/"), name, None), Err(Error::NotAName { .. })), "{name:?}");
    }
}
