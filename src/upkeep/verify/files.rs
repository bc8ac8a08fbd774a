//! Every content, opened: is it there, whole, and the one that its name says? And does every file have its content?

use crate::app::App;
use crate::blobs::whole;
use crate::commands::pictures;
use crate::domain::ids::HouseholdId;
use crate::error::Result;
use crate::store::blobs;

/// How many contents are asked for at a time.
const PAGE: i64 = 200;

/// How many problems are told before it is enough.
const MOST: usize = 20;

/// Opens every content of a household. Returns what is wrong, in sentences.
pub(super) async fn open_all(
    app: &App,
    household: HouseholdId,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<String>> {
    let mut problems: Vec<String> = blobs::missing(&app.db, household)
        .await?
        .into_iter()
        .map(|(blob, name)| format!("The file \u{201c}{name}\u{201d} has no content: {blob} is not in the database."))
        .collect();
    let mut after = None;
    while problems.len() < MOST {
        let page = blobs::blobs(&app.db, household, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(problems) };
        after = Some(last.id);
        for blob in page {
            // As it is kept at this moment: since the page was read, the master key may have changed, or a broken one may have
            // been mended.
            let opened = match pictures::kept(app, household, blob.id).await {
                Ok(kept) => whole(&app.blobs.objects, &kept, blob.id, progress).await.map_err(|e| e.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(problem) = opened {
                problems.push(format!("The content {} (object {}) cannot be read: {problem}.", blob.id, blob.object));
            }
        }
    }
    problems.truncate(MOST);
    problems.push("There may be more files that cannot be read.".to_owned());
    Ok(problems)
}
