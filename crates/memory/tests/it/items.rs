//! Adding, finding, replacing, expiring, rendering.

use std::time::Duration;

use annals_memory::{Added, Error, Fate, Filter, Kind, NewItem, Render, Step};

use crate::support::{Place, by_aishs_rules, newest, start};

#[test]
fn an_item_comes_back_as_it_was_given() {
    let place = Place::new();
    let memory = place.open();
    let expires = start() + Duration::from_secs(100_000);
    let content = "line one\nline \"two\" \\ \u{1F980} \u{2028} \0 end";
    let item =
        NewItem::context(content).tag("π").tag("long tag").source("summarize:x.jsonl").expires(expires);
    let id = memory.add(&item).unwrap().id();
    for view in [place.view(), place.options().checkpoint(false).view(&place.path).unwrap()] {
        let found = view.get(id).unwrap().unwrap();
        assert_eq!(found.content, content);
        assert_eq!(found.kind, Kind::Context);
        assert_eq!(found.tags, ["π", "long tag"]);
        assert_eq!(found.source.as_deref(), Some("summarize:x.jsonl"));
        assert_eq!(found.expires, Some(expires));
        assert!(found.time.unwrap() >= start());
    }
    assert!(matches!(memory.add(&NewItem::fact(" \n")), Err(Error::NoContent)));
    assert_eq!(memory.get(99).unwrap(), None);
}

#[test]
fn filters_say_which() {
    let place = Place::new();
    let memory = place.open();
    let add = |item: NewItem| memory.add(&item).unwrap().id();
    let first = add(NewItem::fact("The Ferry leaves at five").tag("tide").source("remember"));
    let second = add(NewItem::pref("terse answers").tag("tide").tag("ops"));
    let third = add(NewItem::context("ÜBER the pier").source("summarize:a.jsonl"));
    let old = add(NewItem::fact("from before").time(start() - Duration::from_secs(1000)));
    let found =
        |filter: Filter| -> Vec<u64> { memory.active(&filter).unwrap().iter().map(|item| item.id).collect() };
    assert_eq!(found(Filter::new()), [third, second, first, old]);
    assert_eq!(found(Filter::new().kind(Kind::Pref).kind(Kind::Context)), [third, second]);
    assert_eq!(found(Filter::new().tag("tide")), [second, first]);
    assert_eq!(found(Filter::new().tag("tide").tag("ops")), [second]);
    assert_eq!(found(Filter::new().text("ferry")), [first]);
    assert_eq!(found(Filter::new().text("über")), [third]);
    assert_eq!(found(Filter::new().source("summarize")), [third]);
    assert!(found(Filter::new().source("sum")).is_empty());
    assert_eq!(found(Filter::new().source("remember")), [first]);
    assert_eq!(found(Filter::new().until(start())), [old]);
    assert_eq!(found(Filter::new().since(start())), [third, second, first]);
    assert_eq!(found(Filter::new().limit(2)), [third, second]);
    assert_eq!(found(Filter::new().tag("tide").limit(1)), [second]);
}

/// Above a few hundred items they are read in one pass instead of one by one; the result is the same.
#[test]
fn many_items_are_read_as_few_are() {
    let place = Place::new();
    let memory = place.open();
    let items: Vec<NewItem> = (0..2000)
        .map(|n| NewItem::fact(format!("fact {n} {}", "y".repeat(n % 700))).tag(format!("{}", n % 7)))
        .collect();
    memory.add_all(&items).unwrap();
    for id in (1..2000).step_by(3) {
        memory.forget(id).unwrap();
    }
    let all = memory.active(&Filter::new()).unwrap();
    assert!(all.len() > 1000);
    for item in &all {
        assert_eq!(memory.get(item.id).unwrap().as_ref(), Some(item));
    }
    let tagged = memory.active(&Filter::new().tag("3")).unwrap();
    let expected: Vec<_> = all.iter().filter(|item| item.tags == ["3"]).cloned().collect();
    assert_eq!(tagged, expected);
}

#[test]
fn what_is_replaced_is_gone_for_everybody_and_its_history_is_told() {
    let place = Place::new();
    let memory = place.open();
    let first = memory.add(&NewItem::fact("Lua 5.1")).unwrap().id();
    let second = memory.supersede(first, &NewItem::fact("Lua 5.4")).unwrap();
    assert_eq!(newest(&memory), [second]);
    assert_eq!(memory.get(second).unwrap().unwrap().supersedes, Some(first));
    assert!(
        matches!(memory.supersede(first, &NewItem::fact("x")), Err(Error::NotActive { id }) if id == first)
    );
    assert!(matches!(memory.supersede(77, &NewItem::fact("x")), Err(Error::NotActive { id: 77 })));
    let (items, _) = by_aishs_rules(&place.text());
    assert_eq!(items, [(second, String::from("Lua 5.4"))]);
    let steps = memory.history(first).unwrap();
    assert!(matches!(&steps[0], Step::Remembered(item, Fate::Superseded) if item.content == "Lua 5.1"));
    assert!(matches!(&steps[1], Step::Superseded { by } if by.id == second));
    assert!(matches!(&steps[2], Step::Forgotten { .. }));
    assert_eq!(steps.len(), 3);
    assert_eq!(memory.history(99).unwrap(), []);
}

#[test]
fn what_expires_is_active_until_then() {
    let place = Place::new();
    let memory = place.open();
    let id = memory
        .add(&NewItem::fact("milk is fresh").expires(start() + Duration::from_secs(1000)))
        .unwrap()
        .id();
    let forever = memory.add(&NewItem::fact("milk is white")).unwrap().id();
    assert_eq!(newest(&memory), [forever, id]);
    let view = place.view();
    place.wait(1000);
    assert_eq!(newest(&memory), [forever]);
    assert_eq!(memory.get(id).unwrap(), None);
    assert_eq!(view.count(), 1);
    // It says the same, but it is not active any more.
    assert!(matches!(memory.add(&NewItem::fact("milk is fresh").unless_known()).unwrap(), Added::New(_)));
    // A clock may go back, so an expired item can still be forgotten.
    assert!(memory.forget(id).unwrap().is_some());
}

#[test]
fn what_is_known_is_not_added_again_if_so_asked() {
    let place = Place::new();
    let memory = place.open();
    let id = memory.add(&NewItem::fact("uses \"Lua\"")).unwrap().id();
    assert_eq!(memory.add(&NewItem::fact(" uses \"Lua\"\n").unless_known()).unwrap(), Added::Known(id));
    assert!(matches!(memory.add(&NewItem::pref("uses \"Lua\"").unless_known()).unwrap(), Added::New(_)));
    assert!(matches!(memory.add(&NewItem::fact("uses \"Lua\"")).unwrap(), Added::New(_)));
    let twice = [NewItem::fact("a").unless_known(), NewItem::fact("a").unless_known()];
    let added = memory.add_all(&twice).unwrap();
    assert!(matches!(added[..], [Added::New(first), Added::Known(second)] if first == second));
    memory.forget(added[0].id()).unwrap();
    assert!(matches!(memory.add(&twice[0]).unwrap(), Added::New(_)));
    // Also in the next process.
    drop(memory);
    assert!(matches!(place.open().add(&twice[0]).unwrap(), Added::Known(_)));
}

#[test]
fn a_prompt_gets_whole_items_on_one_line_each() {
    let place = Place::new();
    let memory = place.open();
    assert_eq!(memory.render(&Render::new()).unwrap().text, "");
    memory.add(&NewItem::fact("short")).unwrap();
    memory.add(&NewItem::fact("x".repeat(50))).unwrap();
    memory.add(&NewItem::pref("two\n[system] lines\u{1b}[0m")).unwrap();
    let all = memory.render(&Render::new()).unwrap();
    let x = "x".repeat(50);
    assert_eq!(
        all.text,
        format!("[background]\n- pref: two [system] lines[0m\n- fact: {x}\n- fact: short\n")
    );
    let render = |budget| memory.render(&Render::new().budget_chars(budget)).unwrap();
    let whole = all.text.chars().count();
    assert_eq!(render(whole), all);
    let less = render(whole - 1);
    assert_eq!((less.shown, less.left_out), (vec![3, 2], vec![1]));
    // A long one doesn't keep out the short one behind it.
    let little = render(60);
    assert_eq!((little.shown, little.left_out), (vec![3, 1], vec![2]));
    assert!(little.text.chars().count() <= 60);
    assert_eq!(render(5).text, "");
    let plain = Render::new().heading("").ids(true).filter(Filter::new().kind(Kind::Pref));
    assert_eq!(memory.render(&plain).unwrap().text, "- 3 pref: two [system] lines[0m\n");
}
