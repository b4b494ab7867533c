//! Pure retention logic: decides who may retain a license, and folds the log into reports.
