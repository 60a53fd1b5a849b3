//! A log that is cut, damaged, filled up and taken up again.

use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::sink::files;
use super::super::testing::{Volume, drain};
use super::*;

const LOGS: Signal = Signal::Logs;
/// More than any test writes.
const LARGE: u64 = 1 << 30;

fn open(directory: &Path, segment: u64) -> (Log, Findings) {
    Log::open(LOGS, directory, segment, files()).unwrap()
}

fn label(items: u32, at: u64) -> Label {
    Label { items, calls: items, at }
}

/// A log with these bodies in one segment, left as by a kill -9. The segment's file.
fn written(directory: &Path, bodies: &[Vec<u8>]) -> PathBuf {
    let (mut log, findings) = open(directory, LARGE);
    assert_eq!(findings, Findings::default());
    for body in bodies {
        log.append(label(1, 5), body).unwrap();
    }
    log.path(1)
}

fn bodies() -> Vec<Vec<u8>> {
    vec![
        b"first".to_vec(),
        Vec::new(),
        vec![0xF5; 40],
        b"\xF5ORE is how an entry begins".to_vec(),
        b"last".to_vec(),
    ]
}

/// Where each entry ends.
fn ends(bodies: &[Vec<u8>]) -> Vec<usize> {
    let mut end = HEADER;
    bodies
        .iter()
        .map(|body| {
            end += format::HEAD + body.len();
            end
        })
        .collect()
}

#[test]
fn cut_at_every_byte_it_gives_up_every_whole_entry_and_tells_the_rest() {
    let whole = TempDir::new().unwrap();
    let bodies = bodies();
    let bytes = fs::read(written(whole.path(), &bodies)).unwrap();
    let ends = ends(&bodies);
    assert_eq!(ends.last(), Some(&bytes.len()));
    for cut in 0..=bytes.len() {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("logs-0000000000000001.spool"), &bytes[..cut]).unwrap();
        let (mut log, findings) = open(directory.path(), LARGE);
        let kept = ends.iter().filter(|end| **end <= cut).count();
        let good = if kept > 0 { ends[kept - 1] } else { HEADER.min(cut) };
        let lost: u64 = findings.damage.iter().map(|damage| damage.bytes).sum();
        let header = if cut < HEADER { cut } else { 0 };
        assert_eq!(lost as usize, cut - good + header, "cut at {cut}");
        assert_eq!(log.load(), Load { items: kept as u64, calls: kept as u64 });
        let mut later = Findings::default();
        assert_eq!(drain(&mut log, &mut later), bodies[..kept], "cut at {cut}");
        assert_eq!(later, Findings::default(), "told once");
        assert_eq!(log.bytes(), 0);
    }
}

#[test]
fn a_flipped_bit_anywhere_costs_the_entry_it_is_in_and_no_other() {
    let whole = TempDir::new().unwrap();
    let bodies = bodies();
    let bytes = fs::read(written(whole.path(), &bodies)).unwrap();
    let ends = ends(&bodies);
    for at in 0..bytes.len() {
        for bit in [0, 7] {
            let directory = TempDir::new().unwrap();
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            fs::write(directory.path().join("logs-0000000000000001.spool"), &damaged).unwrap();
            let (mut log, findings) = open(directory.path(), LARGE);
            let hit = ends.iter().position(|end| at < *end).filter(|_| at >= HEADER);
            let mut rest = bodies.clone();
            if let Some(hit) = hit {
                rest.remove(hit);
            }
            assert_eq!(drain(&mut log, &mut Findings::default()), rest, "bit {bit} of byte {at}");
            let length = hit.map_or(HEADER, |hit| format::HEAD + bodies[hit].len());
            assert_eq!(findings.damage.iter().map(|damage| damage.bytes).sum::<u64>(), length as u64);
            assert!(findings.damage.iter().any(|damage| damage.from as usize <= at));
        }
    }
}

#[test]
fn what_is_damaged_while_it_is_held_is_counted_as_unreadable() {
    let directory = TempDir::new().unwrap();
    let (mut log, _) = open(directory.path(), LARGE);
    for body in bodies() {
        log.append(label(3, 5), &body).unwrap();
    }
    let mut damaged = fs::read(log.path(1)).unwrap();
    damaged[HEADER + format::HEAD] ^= 1;
    fs::write(log.path(1), damaged).unwrap();
    let mut findings = Findings::default();
    assert_eq!(drain(&mut log, &mut findings), bodies()[1..]);
    assert_eq!(findings.unreadable, Load::default(), "not before the segment is through");
    let (mut log, _) = open(directory.path(), LARGE);
    for body in bodies() {
        log.append(label(3, 5), &body).unwrap();
    }
    fs::remove_file(log.path(log.segments[0].number)).unwrap();
    assert_eq!(drain(&mut log, &mut findings), Vec::<Vec<u8>>::new());
    assert_eq!(findings.unreadable, Load { items: 15, calls: 15 });
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let directory = TempDir::new().unwrap();
    let path = written(directory.path(), &bodies());
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 9;
    let crc = crc32c::crc32c(&bytes[..20]);
    bytes[20..24].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let (mut log, findings) = open(directory.path(), LARGE);
    assert_eq!((log.load(), findings), (Load::default(), Findings::default()));
    log.append(label(1, 5), b"ours").unwrap();
    assert_eq!(drain(&mut log, &mut Findings::default()), [b"ours"]);
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_number_is_not_used_again_after_a_restart_with_nothing_left() {
    let directory = TempDir::new().unwrap();
    let path = written(directory.path(), &[b"first".to_vec()]);
    // A write that the kill cut short.
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, &[0xF5; 9]).unwrap();
    let (mut log, _) = open(directory.path(), LARGE);
    assert!(log.head(Most { items: 1, bytes: 0 }, 0, &mut Findings::default()).is_some());
    log.done();
    for _ in 0..2 {
        let (log, _) = open(directory.path(), LARGE);
        assert_eq!(log.load(), Load::default());
    }
    let (mut log, _) = open(directory.path(), LARGE);
    log.append(label(1, 5), b"second").unwrap();
    let (mut log, _) = open(directory.path(), LARGE);
    assert_eq!(drain(&mut log, &mut Findings::default()), [b"second"]);
}

#[test]
fn neighbours_leave_together_within_bounds_and_come_back_until_they_are_done() {
    let directory = TempDir::new().unwrap();
    let (mut log, _) = open(directory.path(), LARGE);
    for body in [b"aa", b"bb", b"cc", b"dd"] {
        log.append(label(2, 5), body).unwrap();
    }
    let mut findings = Findings::default();
    let mut body = |log: &mut Log, items, bytes| {
        log.head(Most { items, bytes }, 0, &mut findings)
            .map(|batch| (batch.body, batch.items, batch.entries))
    };
    assert_eq!(body(&mut log, 4, 99), Some((Bytes::from("aabb"), 4, 2)));
    log.release();
    assert_eq!(body(&mut log, 9, 7), Some((Bytes::from("aabbcc"), 6, 3)));
    log.done();
    log.append(label(2, 5), b"ee").unwrap();
    assert_eq!(body(&mut log, 9, 99), Some((Bytes::from("ddee"), 4, 2)));
    log.done();
    assert_eq!(body(&mut log, 9, 99), None);
    assert_eq!(findings, Findings::default());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "the cursor alone is left");
}

#[test]
fn what_is_too_old_is_passed_over_and_old_segments_go_whole() {
    let directory = TempDir::new().unwrap();
    let (mut log, _) = open(directory.path(), 100);
    for at in 0..8 {
        log.append(label(1, at), &[b'0' + u8::try_from(at).unwrap()]).unwrap();
    }
    let segments = log.segments.len();
    assert!(segments >= 4, "{segments}");
    assert_eq!(log.expire(5), Load { items: 4, calls: 4 });
    let mut findings = Findings::default();
    let batch = log.head(Most { items: 1, bytes: 0 }, 5, &mut findings).unwrap();
    assert_eq!((batch.body, findings.expired.items), (Bytes::from("5"), 1));
    assert_eq!(log.expire(u64::MAX), Load { items: 2, calls: 2 }, "but not what is being sent");
    log.done();
    assert_eq!(drain(&mut log, &mut findings), Vec::<Vec<u8>>::new());
}

/// What may happen to a log.
#[derive(Debug, Clone)]
enum Step {
    Append(u16),
    Head(u64),
    Done,
    Release,
    Evict,
    /// The process is killed and another takes up what it left.
    Kill,
    /// Room on the disk from now on.
    Room(i64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u16..300).prop_map(Step::Append),
        3 => (1u64..4).prop_map(Step::Head),
        3 => Just(Step::Done),
        1 => Just(Step::Release),
        1 => Just(Step::Evict),
        1 => Just(Step::Kill),
        1 => (0i64..700).prop_map(Step::Room),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    /// Whatever happens, and wherever the disk becomes full: what was acknowledged and not settled comes out, in order, and nothing
    /// else does; what is held is counted to the item.
    #[test]
    fn what_was_acknowledged_comes_out(
        steps in proptest::collection::vec(any_step(), 0..80),
        cuts in any::<bool>(),
        segment in 60u64..600,
    ) {
        let directory = TempDir::new().unwrap();
        let volume = Volume::new(400, cuts);
        let take_up = || Log::open(LOGS, directory.path(), segment, volume.make()).unwrap();
        let (mut log, _) = take_up();
        let mut held: VecDeque<Vec<u8>> = VecDeque::new();
        let mut flying = 0;
        for (number, step) in (0u32..).zip(steps) {
            let mut findings = Findings::default();
            match step {
                Step::Append(length) => {
                    let mut body = number.to_le_bytes().to_vec();
                    body.resize(4 + usize::from(length), b'x');
                    if log.append(label(1, 5), &body).is_ok() {
                        held.push_back(body);
                    }
                }
                Step::Head(items) => {
                    let batch = log.head(Most { items, bytes: 500 }, 0, &mut findings);
                    flying = batch.as_ref().map_or(0, |batch| batch.entries);
                    prop_assert_eq!(flying == 0, held.is_empty());
                    let expected: Vec<u8> = held.iter().take(flying).flatten().copied().collect();
                    prop_assert_eq!(batch.map(|batch| batch.body.to_vec()).unwrap_or_default(), expected);
                }
                Step::Done => {
                    log.done();
                    held.drain(..flying);
                    flying = 0;
                }
                Step::Release => {
                    log.release();
                    flying = 0;
                }
                Step::Evict => {
                    if let Some(load) = log.evict() {
                        // The first segment stays while a part of it is being sent.
                        let first = if flying > 0 { log.segments[0].load.items as usize } else { 0 };
                        held.drain(first..first + load.items as usize);
                    }
                }
                Step::Kill => {
                    drop(log);
                    (log, findings) = take_up();
                    flying = 0;
                    // A tail that could not be cut off is told.
                    if !cuts { findings.damage.clear(); }
                }
                Step::Room(room) => volume.has_room(room),
            }
            prop_assert_eq!(findings, Findings::default());
            prop_assert_eq!(log.load().items as usize, held.len());
        }
        volume.has_room(1 << 20);
        let mut findings = Findings::default();
        prop_assert_eq!(drain(&mut log, &mut findings), Vec::from(held));
        prop_assert_eq!(findings, Findings::default());
    }

    /// Bytes of any kind are read to their end.
    #[test]
    fn any_bytes_are_read_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..400), marks in proptest::collection::vec(0usize..400, 0..6)) {
        let mut bytes = bytes;
        for at in marks {
            if let Some(place) = bytes.get_mut(at..at + 4) {
                place.copy_from_slice(b"\xF5ORE");
            }
        }
        let mut at = 0;
        while let Some(found) = format::read(&bytes, at, LOGS) {
            let (Found::Entry { end, .. } | Found::Broken { end }) = found;
            prop_assert!(end > at && end <= bytes.len());
            at = end;
        }
        prop_assert_eq!(at, bytes.len());
    }
}
