//! The output bag: what the stages of one run have returned.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::defects::{Defect, Defects};
use crate::stage::{Data, Output, Status};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The outputs of one run, by stage.
#[derive(Debug, Default)]
pub(crate) struct Bag {
    outputs: Mutex<BTreeMap<String, Output>>,
    /// In the order in which stages ended.
    order: Mutex<Vec<String>>,
}

impl Bag {
    pub(crate) fn insert(&self, stage: &str, mut output: Output, defects: Defects) {
        if defects.on(Defect::OutputNumbersAreFloats) {
            output.data.values_mut().for_each(numbers_to_floats);
        }
        if defects.on(Defect::LongTextIsCut) {
            output.data.values_mut().for_each(cut_text);
        }
        if defects.on(Defect::NullOutputsDropped) {
            output.data.retain(|_, value| !value.is_null());
        }
        if defects.on(Defect::EmptyOutputIsNothing) && output.status == Status::Ok && output.data.is_empty() {
            return;
        }
        if defects.on(Defect::LostUpdateInBag) && output.status == Status::Ok {
            // The task of the stage has stored it.
        } else if defects.on(Defect::FirstOutputStays) {
            lock(&self.outputs).entry(stage.to_owned()).or_insert(output);
        } else {
            lock(&self.outputs).insert(stage.to_owned(), output);
        }
        lock(&self.order).push(stage.to_owned());
        if defects.on(Defect::BagCopiedPerStage) {
            // The copy that a "snapshot per stage" makes: cost without a difference in results.
            for _ in 0..4 {
                std::hint::black_box(lock(&self.outputs).clone());
            }
        }
    }

    /// What a task does that stores its own output without a lock held: it reads, waits and writes back.
    pub(crate) async fn insert_unlocked(&self, stage: &str, output: &Output) {
        let mut copy = lock(&self.outputs).clone();
        tokio::task::yield_now().await;
        copy.insert(stage.to_owned(), output.clone());
        *lock(&self.outputs) = copy;
    }

    pub(crate) fn remove(&self, stage: &str, defects: Defects) {
        if defects.on(Defect::FirstOutputStays) {
            return;
        }
        lock(&self.outputs).remove(stage);
        lock(&self.order).retain(|name| name != stage);
    }

    /// A copy of what a stage returned; nothing if it has not ended or returned nothing of use.
    pub(crate) fn get(&self, stage: &str) -> Option<Data> {
        lock(&self.outputs)
            .get(stage)
            .filter(|output| matches!(output.status, Status::Ok | Status::Skip | Status::Retry))
            .map(|output| output.data.clone())
    }

    /// Lets `change` work on the stored output itself.
    pub(crate) fn change(&self, stage: &str, change: &mut dyn FnMut(&mut Data)) -> Option<Data> {
        let mut outputs = lock(&self.outputs);
        let output = outputs.get_mut(stage)?;
        change(&mut output.data);
        Some(output.data.clone())
    }

    /// The first value of `key` among `stages`: in the order of declaration.
    pub(crate) fn look_up(&self, stages: &[String], key: &str, defects: Defects) -> Option<Value> {
        let outputs = lock(&self.outputs);
        let find = |stage: &String| outputs.get(stage).and_then(|output| output.data.get(key)).cloned();
        if defects.on(Defect::LookUpByCompletion) {
            return lock(&self.order).iter().filter(|stage| stages.contains(stage)).find_map(find);
        }
        stages.iter().find_map(find)
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Output> {
        lock(&self.outputs).clone()
    }
}

/// What a conversion through a double does to every number.
pub(crate) fn numbers_to_floats(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64() {
                // A whole number comes back as one, as a parser on the other side would read it.
                *value = if float.fract() == 0.0 && float.abs() < 1e19 && float >= i64::MIN as f64 {
                    if float >= 0.0 { Value::from(float as u64) } else { Value::from(float as i64) }
                } else {
                    Value::from(float)
                };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(numbers_to_floats),
        Value::Object(map) => map.values_mut().for_each(numbers_to_floats),
        _ => {}
    }
}

/// What a column of limited width does to every text.
fn cut_text(value: &mut Value) {
    const WIDTH: usize = 1024;
    match value {
        Value::String(text) if text.chars().count() > WIDTH => *text = text.chars().take(WIDTH).collect(),
        Value::Array(items) => items.iter_mut().for_each(cut_text),
        Value::Object(map) => map.values_mut().for_each(cut_text),
        _ => {}
    }
}
