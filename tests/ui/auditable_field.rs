//! A field that cannot be snapshot is reported at its type.
use stageflow_stress::Auditable;

struct Opaque;

#[derive(Auditable)]
struct Ledger {
    opaque: Opaque,
    many: Vec<Opaque>,
    #[audit(skip)]
    skipped: Opaque,
}

fn main() {}
