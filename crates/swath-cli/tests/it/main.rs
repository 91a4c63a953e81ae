//! The `swath` command as people run it: exit status, output, files.

mod area;
mod assess;
mod bad_files;
mod bad_outputs;
mod bad_recipes;
mod classify;
mod command;
mod compare;
mod evaluate;
mod export;
mod house;
mod outline;
mod predict;
mod predict_again;
mod scenes;
mod site;
mod train;
mod train_again;
mod workflow;
