use stageflow_stress::Auditable;

#[derive(Auditable)]
struct Words {
    #[audit(skp)]
    typo: u8,
    #[audit(skip, key)]
    both: u8,
    #[audit(key, sensitive)]
    shown_and_hidden: u8,
    #[audit(skip, skip)]
    twice: u8,
    #[audit(crate = stress)]
    elsewhere: u8,
}

#[derive(Auditable)]
#[audit(skip)]
struct Whole(u8);

#[derive(Auditable)]
enum Variants {
    #[audit(skip)]
    One,
}

#[derive(Auditable)]
union Either {
    _a: u8,
    b: i8,
}

fn main() {}
