//! `swath demo`: the main job, end to end, on data that the program carries.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use clap::Args;
use swath::bundle::Bundle;
use swath::classes::Class;
use swath::evaluate::{self, EvaluateSpec, Evaluated, EvaluatedClass};
use swath::predict::Outputs;
use swath::recipe::Recipe;
use swath::report::{self, Picture};
use swath::train::{Ended, Existing, RunFolder};
use swath::vectorize::{VectorizeOptions, vectorize};
use swath::whole_file::write_whole;
use swath_geo::{BurnRule, ClassEntry, Edge, RasterizeSpec, Scene, SceneSpec, StackOptions, Window};

use crate::args::Compute;
use crate::console::{Console, duration};
use crate::verb::{predict, train};
use crate::{demo_data, device};

/// Stack, rasterize, train, predict, evaluate and vectorize a Sentinel-2 scene that the program carries
///
/// The left part of the scene trains a small U-Net for some twenty seconds, and a strip beside it chooses the best of its
/// states; the right part, which takes no part in that, says how good the map is.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  swath demo --dir demo")]
pub(crate) struct DemoArgs {
    /// Folder for data and results; made when missing
    #[arg(long, default_value = "swath-demo", value_name = "DIR")]
    dir: PathBuf,
    /// Replace the results of an earlier demo
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    compute: Compute,
}

pub(crate) fn run(args: &DemoArgs, console: &Console) -> Result<()> {
    let started = Instant::now();
    let files = Files::new(&args.dir);
    files.prepare(args.overwrite)?;
    let step = |number: usize, what: &str| console.say(format_args!("[{number}/7] {what}"));

    step(1, "stacking 13 Sentinel-2 bands of 10, 20 and 60 m into scene.vrt");
    stack(&files)?;
    step(2, "rasterizing OpenStreetMap polygons into labels.tif; what they do not cover stays unlabelled");
    let recipe = Recipe::load(&files.recipe, &[])?;
    rasterize(&files, &recipe)?;
    step(3, "training a small U-Net on the left part of the scene");
    let device = device::open(&args.compute)?;
    let trained = train::train(&recipe, &files.run, device.clone(), Existing::Replace, console)?;
    if trained.ended == Ended::Interrupted {
        bail!("the demo was stopped while it trained");
    }
    step(4, "predicting the whole scene into map.tif");
    predict_scene(&files, device, args, console)?;
    step(5, "evaluating the right part, which neither trained nor chose the weights");
    let evaluation = evaluate_right_part(&files, &recipe)?;
    step(6, "drawing polygons into map.gpkg");
    let options = VectorizeOptions { overwrite: true, ..VectorizeOptions::default() };
    let polygons = vectorize(&files.map, &files.polygons, &options)?;
    step(7, "writing report.html and map.png");
    picture(&files, &recipe)?;
    fs::copy(RunFolder::new(&files.run).report(), &files.report)?;

    console.result(evaluate::table(&evaluation.evaluation))?;
    console.result(format_args!(
        "\nDone in {}. In {}:\n  map.png       the map beside the image: look at this first\n  report.html   how the training went and how good the map is\n  map.tif       the map, for a GIS\n  map.gpkg      its {} polygons\n  bundle.safetensors, scene.vrt, labels.tif, recipe.toml\n\nThe same with your own scene: docs/tutorial.md",
        duration(started.elapsed().as_secs_f64()),
        args.dir.display(),
        polygons.polygons,
    ))?;
    Ok(())
}

/// Where everything of the demo lies.
struct Files {
    dir: PathBuf,
    recipe: PathBuf,
    scene: PathBuf,
    labels: PathBuf,
    run: PathBuf,
    bundle: PathBuf,
    map: PathBuf,
    polygons: PathBuf,
    picture: PathBuf,
    report: PathBuf,
}

impl Files {
    fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            recipe: dir.join("recipe.toml"),
            scene: dir.join("scene.vrt"),
            labels: dir.join("labels.tif"),
            run: dir.join("run"),
            bundle: dir.join("bundle.safetensors"),
            map: dir.join("map.tif"),
            polygons: dir.join("map.gpkg"),
            picture: dir.join("map.png"),
            report: dir.join("report.html"),
        }
    }

    /// Makes the folder and unpacks the data, unless results of an earlier demo are in the way.
    fn prepare(&self, overwrite: bool) -> Result<()> {
        let results = [&self.scene, &self.labels, &self.bundle, &self.map, &self.polygons, &self.report, &self.picture];
        if let (false, Some(first)) = (overwrite, results.into_iter().find(|path| path.exists())) {
            bail!("{} exists already; give another --dir or pass --overwrite", first.display());
        }
        demo_data::unpack(&self.dir).with_context(|| format!("cannot write to {}", self.dir.display()))
    }
}

fn stack(files: &Files) -> Result<()> {
    let spec = SceneSpec::from_paths(&demo_data::bands(&files.dir));
    let options = StackOptions { overwrite: true, ..StackOptions::default() };
    Ok(swath_geo::stack(&files.scene, &spec, &options)?)
}

fn rasterize(files: &Files, recipe: &Recipe) -> Result<()> {
    let scene = Scene::open_paths(&[&files.scene])?;
    let rule = |(class, named): (u32, &Class)| BurnRule { class, values: named.attributes.clone(), layer: None };
    let spec = RasterizeSpec {
        field: Some("fclass".to_string()),
        rules: (0..).zip(&recipe.data.classes).map(rule).collect(),
        ..RasterizeSpec::new(files.dir.join("landuse.gpkg"))
    };
    swath_geo::rasterize(&spec, scene.grid(), &files.labels, &entries(recipe), true)?;
    Ok(())
}

fn entries(recipe: &Recipe) -> Vec<ClassEntry> {
    let classes = (0..).zip(&recipe.data.classes);
    classes.map(|(value, class)| ClassEntry { value, name: class.name.clone(), color: class.color }).collect()
}

fn predict_scene(files: &Files, device: Device, args: &DemoArgs, console: &Console) -> Result<()> {
    fs::copy(RunFolder::new(&files.run).bundle(), &files.bundle)?;
    let bundle = Bundle::load(&files.bundle)?;
    let scene = Scene::open_paths(&[&files.scene])?;
    let model = bundle.model(&files.bundle, &args.compute.device)?;
    let options = bundle.options(&bundle.header.recipe.predict);
    let outputs = Outputs { overwrite: true, ..Outputs::map(&files.map) };
    predict::predict(bundle, &model, &scene, &outputs, &options, &device, console)?;
    Ok(())
}

/// Compares the map with the labels where the recipe tests.
fn evaluate_right_part(files: &Files, recipe: &Recipe) -> Result<Evaluated> {
    let scene = Scene::open_paths(&[&files.scene])?;
    let area = recipe.data.test.first().and_then(|item| item.area);
    let window = area.map(|area| area.window(scene.grid().width, scene.grid().height));
    let spec = EvaluateSpec {
        window: window.map(|[col, row, width, height]| Window::new(col as isize, row as isize, width, height)),
        ..EvaluateSpec::of_map(&files.map, &files.labels)?
    };
    Ok(evaluate::evaluate(&spec)?)
}

/// The bands that look natural: red, green, blue.
const NATURAL: [&str; 3] = ["B04", "B03", "B02"];

/// Draws the scene and below it the map with its legend.
fn picture(files: &Files, recipe: &Recipe) -> Result<()> {
    let scene = Scene::open_paths(&[&files.scene])?;
    let grid = scene.grid();
    let (width, height) = (grid.width, grid.height);
    let names = NATURAL.map(|name| scene.bands().iter().position(|band| band.name == name));
    let [Some(red), Some(green), Some(blue)] = names else { bail!("the demo's scene has lost its colour bands") };
    let pixels = scene.select(&[red, green, blue])?.reader()?.read(grid.window(), Edge::Invalid)?;
    let colors = [0, 1, 2].map(|band| pixels.values.band(band));
    let image = report::stretched(width, height, colors, &pixels.valid);

    let map = Scene::open_paths(&[&files.map])?.reader()?.read(grid.window(), Edge::Invalid)?;
    let class = |(value, valid): (&f32, &bool)| if *valid { *value as u16 } else { swath::IGNORE };
    let labels: Vec<u16> = map.values.band(0).iter().zip(&map.valid).map(class).collect();
    let classes: Vec<EvaluatedClass> = recipe
        .data
        .classes
        .iter()
        .map(|class| EvaluatedClass { name: class.name.clone(), color: class.color })
        .collect();
    let map = report::class_picture(width, height, &labels, &classes);

    let both = Picture { width, height: 2 * height, rgba: [image.rgba, map.rgba].concat() };
    write_whole(&files.picture, &report::encode_png(&report::with_legend(&both, &classes)))?;
    Ok(())
}
