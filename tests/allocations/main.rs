//! What is valid costs no memory: neither a document nor the records of a stream.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use allocation_counter::{AllocationInfo, measure};
use license_tests::records::Records;
use license_validate::{Judge, Profile, Validator};

const FEW: usize = 1_000;
const MANY: usize = 20_000;

#[test]
fn a_valid_record_is_accepted_without_an_allocation() {
    let validator = Validator::new("retention", Profile::Observed).unwrap();
    let lines = Records::lines(FEW);
    let mut accepted = 0;
    let taken = measure(|| {
        let lines = lines.split_inclusive(|&byte| byte == b'\n');
        accepted = lines.filter(|line| validator.accepts(line)).count();
    });
    assert_eq!((accepted, taken.count_total), (FEW, 0));
}

#[test]
fn a_stream_takes_no_more_memory_for_many_records_than_for_few() {
    let [few, many] = [FEW, MANY].map(|records| {
        let lines = Records::lines(records);
        // So many bytes of it are in memory at once, whatever its length.
        let judge = Judge::new(Profile::Observed).jobs(NonZeroUsize::MIN);
        let mut valid = 0;
        let taken: AllocationInfo = measure(|| {
            let summary = judge.read(&lines[..], |_| ControlFlow::Continue(())).unwrap();
            valid = summary.valid;
        });
        assert_eq!(valid, records as u64);
        taken
    });
    // The reference judges one record in a thousand too, as a sample.
    let more = many.count_total - few.count_total;
    assert!(more * 20 < (MANY - FEW) as u64, "{few:?} {many:?}");
    assert!(many.bytes_max <= few.bytes_max * 2, "{few:?} {many:?}");
}
