//! Tests of the recipe as a whole: forms, errors, round trip, paths and globs.

use swath_nn::encoder::EncoderConfig;

use super::*;

const SMALL: &str = r##"
[data]
classes = [
  { name = "land", color = "#000000" },
  { name = "water", color = "#0000ff" },
]
train = [{ scene = "a.tif", labels = "a_labels.tif" }]

[model.encoder.resnet]
[model.decoder.unet]

[optimizer.adamw]
lr = 1e-3

[train]
steps = 10
"##;

fn fails(text: &str, overrides: &[&str]) -> String {
    let overrides: Vec<String> = overrides.iter().map(|s| (*s).to_owned()).collect();
    let error = parse(text, Path::new("a.toml"), &overrides).expect_err("a wrong recipe");
    assert!(error.is_usage());
    let message = error.to_string();
    assert!(!message.contains('\n'), "one line: {message}");
    message
}

/// Every wrong setting of the small recipe with the message it gets, after `a.toml: -s SETTING: `.
fn refusals(cases: &[(&str, &str)]) {
    for (setting, expected) in cases {
        assert_eq!(fails(SMALL, &[setting]), format!("a.toml: -s {setting}: {expected}"));
    }
}

fn load(folder: &Path, text: &str) -> Result<Recipe> {
    let path = folder.join("recipes").join("a.toml");
    std::fs::create_dir_all(folder.join("recipes")).expect("a temporary folder");
    std::fs::write(&path, text).expect("a temporary file");
    Recipe::load(&path, &[])
}

fn touch(folder: &Path, files: &[&str]) {
    for file in files {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a temporary folder");
        std::fs::write(path, "").expect("a temporary file");
    }
}

#[test]
fn a_small_recipe_takes_the_defaults() {
    let recipe = parse(SMALL, Path::new("a.toml"), &[]).expect("a recipe");
    assert_eq!(recipe.train.length(), Length::Steps(10));
    assert_eq!(recipe.data.ignore, 255);
    assert_eq!(recipe.loss, LossConfig::default());
    assert_eq!(recipe.data.train[0].scene, swath_geo::SceneSpec::from_paths(&["a.tif"]));
    assert_eq!(recipe.data.train[0].order, Order::File);
}

#[test]
fn mistakes_in_the_file_name_line_key_and_nearest_key() {
    let changed = |from: &str, to: &str| fails(&SMALL.replace(from, to), &[]);
    assert_eq!(
        changed("steps = 10", "stpes = 10"),
        "a.toml, line 16: unknown key `train.stpes`; did you mean `steps`? (valid here: steps, epochs, batch, chip, \
         seed, workers, sampler, max_repeat, validate_every, early_stopping, generated_steps, precision, \
         phases)"
    );
    assert_eq!(
        changed("labels = ", "lables = "),
        "a.toml, line 7: unknown key `data.train[0].lables`; did you mean `labels`? (valid here: scene, labels, share, \
         name, area, field, class, layer, filter, all_touched, aoi, background, order)"
    );
    assert_eq!(
        changed("[optimizer.adamw]", "[optimizer.adagrad]"),
        "a.toml, line 12: unknown key `optimizer.adagrad`; did you mean `adam`? (valid here: adamw, adam, sgd)"
    );
    assert_eq!(
        changed("lr = 1e-3", "lr = \"high\""),
        "a.toml, line 13: optimizer.adamw.lr: invalid type: string \"high\", expected a number"
    );
    assert_eq!(changed("lr = 1e-3", "lr = 0"), "a.toml, line 13: optimizer.adamw.lr is 0: it must be above 0");
    assert_eq!(changed("#0000ff", "#000000"), {
        "a.toml, line 3: data.classes: classes 0 (\"land\") and 1 (\"water\") share the colour #000000"
    });
    assert_eq!(changed("[data]", "[data"), "a.toml, line 2: not valid TOML: unclosed table, expected `]`");
    assert_eq!(changed("[model.decoder.unet]", ""), "a.toml, line 9: model lacks the key `decoder`");
    assert_eq!(fails("[data]\nclasses = []", &[]), "a.toml: `model` is missing");
    assert_eq!(
        changed("[model.encoder.resnet]", "[model.encoder.resnet]\n[model.encoder.plain]"),
        "a.toml, line 9: model.encoder must hold exactly one member, written as a table [model.encoder.NAME]"
    );
}

#[test]
fn unknown_keys_and_words_are_refused_at_every_depth() {
    refusals(&[
        (
            "optimizer.sgd.momentun=1",
            "unknown key `optimizer.sgd.momentun`; did you mean `momentum`? (valid here: lr, weight_decay, momentum, \
             nesterov, clip_norm)",
        ),
        (
            "optimizer.adagrad.lr=1",
            "unknown key `optimizer.adagrad`; did you mean `adam`? (valid here: adamw, adam, sgd)",
        ),
        (
            "batch=3",
            "unknown key `batch`; did you mean `train.batch`? (valid here: data, model, loss, optimizer, schedule, \
             train, augment, predict)",
        ),
        (
            "predict.blend=cosin",
            "predict.blend cannot be `cosin`; did you mean `cosine`? (valid here: none, linear, cosine)",
        ),
        (
            "data.train[0].scene={source=[]}",
            "unknown key `data.train[0].scene.source`; did you mean `sources`? (valid here: sources, grid, resampling, \
             allow_reproject)",
        ),
        (
            "data.train[0].area={lft=1}",
            "unknown key `data.train[0].area.lft`; did you mean `left`? (valid here: left, right, top, bottom)",
        ),
        ("train.precision=fp16", "train.precision cannot be `fp16`; did you mean `bf16`? (valid here: fp32, bf16)"),
        ("data.train[0].order=size", "data.train[0].order cannot be `size` (valid here: file, class, area, field)"),
        (
            "loss.terms=[{soft_iou={wight=1}}]",
            "unknown key `loss.terms[0].soft_iou.wight`; did you mean `weight`? (valid here: weight)",
        ),
    ]);
}

#[test]
fn wrong_types_say_what_is_expected() {
    refusals(&[
        ("train.batch=many", "train.batch: invalid type: string \"many\", expected a whole number, not negative"),
        ("train.batch=-1", "train.batch: invalid value: integer `-1`, expected a whole number, not negative"),
        ("augment.flips=3", "augment.flips: invalid type: integer `3`, expected true or false"),
        ("augment.gamma=3", "augment.gamma: invalid type: integer `3`, expected an array of length 2"),
        ("optimizer=sgd", "optimizer must be a table that is named after its member, written as [optimizer.NAME]"),
        ("schedule.cosine=3", "schedule.cosine: invalid type: integer `3`, expected a table { ... }"),
        ("data.classes=[{name=\"a\"}]", "data.classes[0] lacks the key `color`"),
        ("data.ignore=70000", "data.ignore: invalid value: integer `70000`, expected a whole number from 0 to 65535"),
        ("data.train=3", "data.train: invalid type: integer `3`, expected a list [...]"),
        (
            "data.classes[0].color=red",
            "data.classes[0].color: `red` is not a colour: write \"#rrggbb\", for example \"#ff3300\"",
        ),
        (
            "data.train[0].scene=3",
            "data.train[0].scene: invalid type: integer `3`, expected a path, a list of paths or a table { sources = \
             [...] }",
        ),
        (
            "data.train[0].area=3",
            "data.train[0].area: invalid type: integer `3`, expected [column, row, width, height] or one side such as \
             { left = 0.6 }",
        ),
        ("data.bands=[true]", "data.bands: expected a band name such as \"B04\" or a band number from 1"),
    ]);
}

#[test]
fn values_that_no_run_can_use_are_refused() {
    refusals(&[
        ("train.chip=0", "train.chip is 0: it must be at least 1"),
        ("train.batch=0", "train.batch is 0: it must be at least 1"),
        ("train.epochs=3", "train.epochs is 3 and train.steps is 10: give one of them"),
        ("train.validate_every=0", "train.validate_every is 0: it must be at least 1"),
        ("train.max_repeat=0.5", "train.max_repeat is 0.5: it must be at least 1"),
        ("predict.overlap=257", "predict.overlap is 257: it must be at most half of predict.chip, which is 512"),
        ("predict.batch=0", "predict.batch is 0: it must be at least 1"),
        ("optimizer.adamw.lr=-1", "optimizer.adamw.lr is -1: it must be above 0"),
        ("optimizer.adamw.lr=nan", "optimizer.adamw.lr is NaN: it must be above 0"),
        ("optimizer.adam.betas=[0.9, 1.0]", "optimizer.adam.betas is 1: both must be in [0, 1)"),
        ("optimizer.sgd.clip_norm=0", "optimizer.sgd.clip_norm is 0: it must be above 0; leave it out to not clip"),
        ("optimizer.sgd={momentum=0, nesterov=true}", "optimizer.sgd.nesterov is true: it needs a momentum above 0"),
        ("schedule.triangular.half_cycle=0", "schedule.triangular.half_cycle is 0: it must be at least 1"),
        ("schedule.one_cycle.rise=2", "schedule.one_cycle.rise is 2: it must be in [0, 1]"),
        ("augment.gamma=[0, 1]", "augment.gamma is [0, 1]: both must be above 0"),
        ("augment.brightness=[1, -1]", "augment.brightness is [1, -1]: write [lowest, highest], both finite"),
        ("data.ignore=1", { "data.ignore is 1, a label value of class \"water\": choose another" }),
        ("data.bands=[0]", "data.bands holds 0: bands are counted from 1"),
        ("data.bands=[\"B02\", \"B02\"]", "data.bands lists \"B02\" twice"),
        ("data.train[0].scene=[]", "data.train[0].scene is empty: name at least one file"),
        ("data.train[0].background=sky", {
            "data.train[0].background is \"sky\", which is no class: choose of land, water"
        }),
        ("data.train[0].area={left=0}", "data.train[0].area is 0: a share must be above 0 and at most 1"),
        ("train.phases=[{until=5, rates={}}, {until=5, rates={}}]", {
            "train.phases[1].until is 5: it must be above 5, where the phase begins"
        }),
        ("train.phases=[{rates={}}, {until=5, rates={}}]", {
            "train.phases[0] has no `until`: only the last phase goes on to the end"
        }),
        ("train.phases=[{rates={encoder=-1}}]", "train.phases[0].rates.encoder is -1: it must be 0 or more"),
        ("loss.terms=[]", "loss.terms is empty: list at least one, for example { cross_entropy = {} }"),
        ("loss.terms=[{cross_entropy={class_weights=[1]}}]", {
            "loss.terms[0].cross_entropy.class_weights is 1 numbers for 2 classes: give one each"
        }),
    ]);
}

#[test]
fn networks_that_cannot_be_built_are_refused() {
    let message = fails(SMALL, &["model.encoder.resnet.depth=35"]);
    assert!(
        message.contains(
            "model.encoder.resnet.depth is 35: depths are 18, 34, 50, 101 and 152; nearest valid choice: `depth = 34`"
        ),
        "{message}"
    );
}

/// The key is the decoder's, and so is the line that is named, though it is the encoder that cannot.
#[test]
fn output_strides_are_refused_where_they_are_written() {
    let text = SMALL.replace("[model.encoder.resnet]", "[model.encoder.maggiori]");
    let text = text.replace("[model.decoder.unet]", "[model.decoder.deeplab_v1]\noutput_stride = 16");
    let line = 1 + text.lines().position(|line| line.starts_with("output_stride")).expect("the key");
    let message = fails(&text, &[]);
    assert!(
        message.contains(&format!("a.toml, line {line}: model.decoder.deeplab_v1.output_stride is 16")),
        "{message}"
    );
    assert!(
        message
            .ends_with("encoder maggiori cannot give it: its only stride is 4; nearest valid choice: encoder `plain`"),
        "{message}"
    );
}

#[test]
fn keys_of_other_decoders_are_named_with_these() {
    let message = fails(SMALL, &["model.encoder.resnet.output_stride=8"]);
    assert!(
        message.contains(
            "; it is a key of decoders deeplab_v1, dilation, pspnet, deeplab_v3 and deeplab_v3_plus, and this one is unet"
        ),
        "{message}"
    );
    let with = ["model.decoder.pspnet={}".to_owned(), "model.encoder.resnet.output_stride=8".to_owned()];
    let message = parse(SMALL, Path::new("a.toml"), &with).expect_err("a key of the decoder").to_string();
    assert!(message.contains("did you mean `model.decoder.pspnet.output_stride`?"), "{message}");
}

#[test]
fn a_network_may_have_a_licence() {
    let licensed = SMALL.replace("[model.encoder.resnet]", "[model]\nlicence = \"CC-BY-4.0\"\n[model.encoder.resnet]");
    let recipe = Recipe::from_toml_str(&licensed).unwrap();
    assert_eq!(recipe.model.licence.as_deref(), Some("CC-BY-4.0"));
    assert_eq!(Recipe::from_toml_str(&recipe.to_toml().unwrap()).unwrap(), recipe);
    assert!(!Recipe::from_toml_str(SMALL).unwrap().to_toml().unwrap().contains("licence"));
    assert!(fails(SMALL, &["model.licence=\" \""]).contains("model.licence is empty"));
}

#[test]
fn overrides_apply_before_the_recipe_is_understood() {
    let overrides = ["optimizer.sgd.lr=0.5".to_owned(), "data.train[0].name=first".to_owned()];
    let recipe = parse(SMALL, Path::new("a.toml"), &overrides).expect("a recipe");
    assert_eq!(recipe.optimizer, OptimizerConfig::Sgd(SgdConfig { lr: 0.5, ..SgdConfig::default() }));
    assert_eq!(recipe.data.train[0].name.as_deref(), Some("first"));
    let mended =
        parse(&SMALL.replace("steps = 10", "steps = \"x\""), Path::new("a.toml"), &["train.steps=1".to_owned()]);
    assert_eq!(mended.expect("a mended recipe").train.steps, Some(1));
}

#[test]
fn paths_are_seen_from_the_recipe() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = SMALL.replace("\"a.tif\"", "[\"../x/a.tif\", \"/vsizip/b.zip/b.tif\", 'NETCDF:\"c.nc\":v']");
    let recipe = load(folder.path(), &text).expect("a recipe");
    let paths: Vec<&Path> = recipe.data.train[0].scene.sources.iter().map(|source| source.path.as_path()).collect();
    let expected = folder.path().join("recipes").join("../x/a.tif");
    assert_eq!(paths, [expected.as_path(), Path::new("/vsizip/b.zip/b.tif"), Path::new("NETCDF:\"c.nc\":v")]);
    assert_eq!(recipe.data.train[0].labels, Some(folder.path().join("recipes/a_labels.tif")));
    let missing = Recipe::load(&folder.path().join("no.toml"), &[]).expect_err("no file");
    assert!(!missing.is_usage() && missing.to_string().starts_with("cannot read "), "{missing}");
    let empty = load(folder.path(), &SMALL.replace("train = [", "val = [")).expect_err("nothing to train on");
    assert!(empty.to_string().contains("data.train is empty"), "{empty}");
}

#[test]
fn globs_make_one_item_a_scene_and_pair_labels_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    touch(folder.path(), &["i/2.jpg", "i/10.jpg", "l/2.png", "l/10.png", "l/3.png", "j/2.jpg", "j/4.jpg"]);
    let pairs = |scene: &str, labels: &str| {
        let text = SMALL.replace("a.tif", scene).replace("a_labels.tif", labels);
        load(folder.path(), &text).map(|recipe| {
            let short = |path: &Path| path.strip_prefix(folder.path().join("recipes/..")).map(Path::to_path_buf);
            let labels = |item: &Item| short(item.labels.as_deref().expect("labels"));
            let names = recipe.data.train.iter().map(|item| (short(&item.scene.sources[0].path), labels(item)));
            names
                .map(|(scene, labels)| {
                    format!("{}={}", scene.expect("below").display(), labels.expect("below").display())
                })
                .collect::<Vec<_>>()
                .join(" ")
        })
    };
    assert_eq!(pairs("../i/*.jpg", "../l/*.png").expect("pairs"), "i/10.jpg=l/10.png i/2.jpg=l/2.png");
    let filled = pairs("../?/2.jpg", "{dir}/{stem}.png").expect("pairs");
    assert_eq!(filled, "i/2.jpg=i/2.png j/2.jpg=j/2.png");
    let fails = |scene: &str, labels: &str, words: &str| {
        let message = pairs(scene, labels).expect_err(words).to_string();
        assert!(message.contains(words) && !message.contains('\n'), "{message}");
    };
    fails("../k/*.jpg", "../l/*.png", "no file matches");
    fails("../j/*.jpg", "../l/*.png", "has the name of scene");
    fails("../i/2.jpg", "../l/*.png", "labels is a glob but its scene is none");
    fails("../i/*.jpg", "../?/2.*", "have the same name");
    fails("../i/***.jpg", "../l/*.png", "not a glob");
}

#[test]
fn one_scene_names_its_other_files_as_a_glob_does() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = SMALL.replace("\"a.tif\"", "[\"../i/2.jpg\", \"{dir}/{stem}_nir.jpg\"]");
    let text = text.replace("a_labels.tif\"", "{dir}/../l/{stem}.gpkg\", class = \"water\", aoi = \"{stem}_aoi.gpkg\"");
    let recipe = load(folder.path(), &text).expect("a recipe");
    let item = &recipe.data.train[0];
    let at = |path: &str| folder.path().join("recipes").join(path);
    assert_eq!(item.scene.sources[1].path, at("../i/2_nir.jpg"));
    assert_eq!(item.labels, Some(at("../i/../l/2.gpkg")));
    assert_eq!(item.aoi, Some(at("2_aoi.gpkg")));
}

/// Ten images of each of two folders.
fn class_folders(folder: &Path) {
    let files: Vec<String> =
        (0..10).flat_map(|i| [format!("e/land/land_{i}.jpg"), format!("e/Sea Lake/sea_{i}.jpg")]).collect();
    touch(folder, &files.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn folders_name_the_class_of_whole_images() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    class_folders(folder.path());
    let text = SMALL
        .replace(r##"color = "#0000ff""##, r##"color = "#0000ff", attributes = ["Sea Lake"]"##)
        .replace(r#""a.tif", labels = "a_labels.tif""#, r#""../e/*/*.jpg", class = "{folder}""#);
    let recipe = load(folder.path(), &text).expect("a recipe");
    assert_eq!(recipe.data.train.len(), 20);
    for item in &recipe.data.train {
        let sea = item.scene.sources[0].path.to_string_lossy().contains("Sea Lake");
        assert_eq!((item.class.as_deref(), &item.labels), (Some(if sea { "water" } else { "land" }), &None));
    }
    let unknown = load(folder.path(), &text.replace(r#"attributes = ["Sea Lake"]"#, "")).expect_err("no class");
    let expected = "data.train[0].class is \"Sea Lake\", which is no class: choose of land, water (";
    assert!(unknown.to_string().contains(expected), "{unknown}");
}

#[test]
fn shares_divide_files_by_their_names() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    class_folders(folder.path());
    let files = |share: &str| {
        let item = format!(r#""../e/land/*.jpg", class = "land"{share}"#);
        load(folder.path(), &SMALL.replace(r#""a.tif", labels = "a_labels.tif""#, &item)).map(|recipe| {
            assert!(recipe.data.train.iter().all(|item| item.share.is_none()), "a resolved recipe names files");
            let path = |item: &Item| item.scene.sources[0].path.clone();
            recipe.data.train.iter().map(path).collect::<Vec<_>>()
        })
    };
    let [all, first, second] =
        ["", ", share = [0, 0.6]", ", share = [0.6, 1]"].map(|share| files(share).expect("files"));
    assert!(!first.is_empty() && !second.is_empty());
    let mut both = [first.clone(), second].concat();
    both.sort();
    assert_eq!(both, all, "every file is in one of the shares");
    touch(folder.path(), &["e/land/another.jpg", "e/land/again.jpg"]);
    let more = files(", share = [0, 0.6]").expect("files");
    assert!(first.iter().all(|file| more.contains(file)), "new files move no other");
    let none = files(", share = [0, 1e-9]").expect_err("no file").to_string();
    assert!(none.contains("data.train[0].share is [0, 0.000000001]: no file has its place there"), "{none}");
}

#[test]
fn items_without_labels_say_their_class_and_nothing_of_labels() {
    let item = |text: &str| fails(&SMALL.replace(r#", labels = "a_labels.tif""#, text), &[]);
    assert_eq!(
        item(""),
        "a.toml, line 7: data.train[0] lacks the key `labels`: name the label file, or give `class` where the whole scene \
         is of one class"
    );
    assert_eq!(
        item(r#", class = "land", all_touched = true"#),
        "a.toml, line 7: data.train[0].all_touched is for vector labels: without `labels` leave it out"
    );
    assert_eq!(
        item(r#", class = "land", share = [0.5, 0.5]"#),
        "a.toml, line 7: data.train[0].share is [0.5, 0.5]: write [from, to] with 0 <= from < to <= 1"
    );
}

#[test]
fn cells_lie_inside_their_patches() {
    let text = SMALL
        .replace("[model.decoder.unet]", "[model.decoder.classifier]\ncell = 8")
        .replace("steps = 10", "chip = 64");
    let recipe = parse(&text, Path::new("a.toml"), &[]).expect("a recipe");
    assert_eq!(recipe.patches(&recipe.predict), Some(Patches { patch: 64, cell: 8 }));
    assert_eq!(recipe.target(), Target::Cell(8));
    let refused = |overrides: &[&str]| fails(&text, overrides);
    assert_eq!(
        refused(&["train.chip=4"]),
        "a.toml, line 11: model.decoder.classifier.cell is 8: a cell lies inside its patch, and train.chip is 4"
    );
    assert_eq!(
        refused(&["predict.cell=65"]),
        "a.toml: -s predict.cell=65: predict.cell is 65: a cell lies inside its patch, and train.chip is 64"
    );
    assert_eq!(
        fails(SMALL, &["predict.cell=1"]),
        "a.toml: -s predict.cell=1: predict.cell is 1: it is for decoder classifier, and this one is unet; leave it out"
    );
}

/// A comparison puts networks with and without cells in place of the recipe's own.
#[test]
fn cells_go_to_the_networks_that_classify_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = SMALL.replace("steps = 10", "chip = 64\n[predict]\ncell = 16");
    let alone = load(folder.path(), &text).expect_err("a network without cells").to_string();
    assert!(alone.contains("line 18: predict.cell is 16: it is for decoder classifier"), "{alone}");
    let recipe = Recipe::load_to_compare(&folder.path().join("recipes/a.toml"), &[]).expect("a recipe");
    let classifier = SMALL.replace("[model.decoder.unet]", "[model.decoder.classifier]\ncell = 1");
    let classifier = Recipe::from_toml_str(&classifier).expect("a recipe").model;
    let cell = |model: &Model| recipe.with_model(model.clone()).expect("a network that fits").predict.cell;
    assert_eq!((cell(&classifier), cell(&recipe.model)), (Some(16), None));
    let narrow = Recipe { train: Train { chip: 8, ..recipe.train.clone() }, ..recipe.clone() };
    let error = narrow.with_model(classifier).expect_err("a cell larger than its patch").to_string();
    assert_eq!(error, "recipe: predict.cell is 16: a cell lies inside its patch, and train.chip is 8");
}

mod round_trip {
    use super::*;
    use proptest::option::of;
    use proptest::prelude::*;

    fn items() -> impl Strategy<Value = Vec<Item>> {
        let area = prop_oneof![
            (0.01..1.0f64).prop_map(Area::Left),
            (0.01..1.0f64).prop_map(Area::Bottom),
            (0..9usize, 0..9usize, 1..9usize, 1..9usize).prop_map(|(a, b, c, d)| Area::Pixels([a, b, c, d])),
        ];
        let source = ("[a-z{}* ]{1,6}", of(Just(vec![3, 1])), of(-9.5..9.5f64))
            .prop_map(|(path, bands, nodata)| swath_geo::Source { bands, nodata, ..swath_geo::Source::new(path) });
        let scene = (prop::collection::vec(source, 1..3), any::<bool>()).prop_map(|(sources, allow_reproject)| {
            swath_geo::SceneSpec { allow_reproject, ..swath_geo::SceneSpec::from_sources(sources) }
        });
        let order = prop_oneof![Just(Order::File), Just(Order::Area), "\\PC{1,5}".prop_map(Order::Field)];
        let item = (scene, "\\PC{1,8}", of(area), of("\\PC{0,5}"), any::<bool>(), order).prop_map(
            |(scene, labels, area, field, all_touched, order)| Item {
                scene,
                labels: Some(labels.into()),
                share: None,
                area,
                field,
                all_touched,
                order,
                name: None,
                class: None,
                layer: None,
                filter: Some("a > 'b\"'".to_owned()),
                aoi: None,
                background: Some("land".to_owned()),
            },
        );
        prop::collection::vec(item, 0..3)
    }

    fn optimizers() -> impl Strategy<Value = OptimizerConfig> {
        let numbers = (1e-9..9.0f64, 0.0..1.0f64, of(1e-3..1e6f64));
        (0..3, numbers).prop_map(|(kind, (lr, decay, clip_norm))| match kind {
            0 => OptimizerConfig::AdamW(AdamWConfig { lr, weight_decay: decay, clip_norm, ..Default::default() }),
            1 => OptimizerConfig::Adam(AdamConfig { lr, betas: [decay, 0.5], clip_norm, ..Default::default() }),
            _ => OptimizerConfig::Sgd(SgdConfig { lr, weight_decay: decay, clip_norm, ..Default::default() }),
        })
    }

    fn schedules() -> impl Strategy<Value = ScheduleConfig> {
        (0..5, 0..99usize, 0.0..1.0f64).prop_map(|(kind, warmup, share)| match kind {
            0 => ScheduleConfig::Constant(ConstantConfig { warmup }),
            1 => ScheduleConfig::Polynomial(PolynomialConfig { warmup, power: share + 0.1 }),
            2 => ScheduleConfig::Cosine(CosineConfig { warmup, end: share }),
            3 => ScheduleConfig::OneCycle(OneCycleConfig { warmup, rise: share, ..Default::default() }),
            _ => ScheduleConfig::Triangular(TriangularConfig { warmup, base: share, ..Default::default() }),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_resolved_recipe_reads_back_equal(
            (train, val) in (items(), items()),
            optimizer in optimizers(),
            schedule in schedules(),
            (seed, steps, epochs) in (0..=i64::MAX as u64, of(1..usize::MAX >> 1), any::<bool>()),
            bands in of(Just(vec![BandRef::Name("B02".to_owned()), BandRef::Number(7)])),
            shade in -3.0..3.0f64,
        ) {
            let mut recipe = Recipe::from_toml_str(SMALL).expect("a recipe");
            (recipe.data.train, recipe.data.val, recipe.data.bands) = (train, val, bands);
            (recipe.optimizer, recipe.schedule, recipe.train.seed) = (optimizer, schedule, seed);
            (recipe.train.steps, recipe.train.epochs) = if epochs { (None, steps) } else { (steps, None) };
            recipe.augment.brightness = Span { low: shade, high: 3.0 };
            let text = recipe.to_toml().expect("TOML");
            let back = Recipe::from_toml_str(&text).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
            prop_assert_eq!(back, recipe);
        }
    }
}

#[test]
fn ignored_labels_are_no_classes() {
    refusals(&[
        ("data.ignore_values=[-1, 1]", "data.ignore_values holds 1, a value of class \"water\""),
        ("data.ignore_colors=[\"#0000FF\"]", "data.ignore_colors holds #0000ff, a colour of class \"water\""),
    ]);
}

#[test]
fn the_weights_of_an_encoder_are_seen_from_the_recipe_and_must_exist() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    touch(folder.path(), &["recipes/w.pth"]);
    let with = |weights: &str| {
        let encoder = format!("[model.encoder.resnet]\nweights = \"{weights}\"\nother_bands = \"random\"");
        load(folder.path(), &SMALL.replace("[model.encoder.resnet]", &encoder))
    };
    let recipe = with("w.pth").expect("a recipe");
    assert_eq!(recipe.model.start.weights, Some(folder.path().join("recipes/w.pth")));
    let back = Recipe::from_toml_str(&recipe.to_toml().expect("TOML")).expect("the same recipe");
    assert_eq!(back, recipe);
    let message = with("v.pth").expect_err("no file").to_string();
    assert!(message.contains("line 10: model.encoder.resnet.weights is "), "{message}");
    assert!(message.contains("there is no such file"), "{message}");
    let wrong = fails(SMALL, &["model.encoder.resnet.weigths=a.pth"]);
    assert!(wrong.contains("unknown key `model.encoder.resnet.weigths`; did you mean `weights`?"), "{wrong}");
    let wrong = fails(SMALL, &["model.encoder.resnet.other_bands=none"]);
    assert!(wrong.contains("other_bands cannot be `none`") && wrong.contains("mean, random"), "{wrong}");
}

/// Whatever lies in a decoder's options where a classifier has its cell.
#[test]
fn only_classifiers_have_cells() {
    for (decoder, size) in [
        ("fpn", "pyramid_channels"),
        ("upernet", "channels"),
        ("segformer", "channels"),
        ("linknet", "channels"),
        ("mlp", "hidden"),
        ("pspnet", "channels"),
        ("deeplab_v3_plus", "channels"),
        ("deconvnet", "channels"),
    ] {
        for value in [1, 64, 256, 4096] {
            let text = SMALL.replace("[model.decoder.unet]", &format!("[model.decoder.{decoder}]\n{size} = {value}"));
            let recipe: Recipe = toml::from_str(&text).expect("a recipe");
            assert!(matches!(recipe.target(), Target::Pixels), "{decoder}, {size} = {value}");
            assert!(recipe.patches(&recipe.predict).is_none(), "{decoder}, {size} = {value}");
        }
    }
}

/// A file of networks has the recipe's words for mistakes, and weights lie beside it.
#[test]
fn files_of_networks_are_read_like_recipes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("networks.toml");
    let read = |text: &str| {
        std::fs::write(&path, text).expect("a file");
        Model::load_all(&path)
    };
    let fails = |text: &str| read(text).expect_err("a wrong file").to_string();
    let message = fails("[a.encoder.vgg]\nwdith = 16\n[a.decoder.fcn]\n");
    assert!(
        message.contains("networks.toml, line 2: unknown key `a.encoder.vgg.wdith`; did you mean `width`?"),
        "{message}"
    );
    let message = fails("[a.encoder.vgg]\nweigths = \"v\"\n[a.decoder.fcn]\n");
    assert!(message.contains("did you mean `weights`?"), "{message}");
    let message = fails("[a.encoder.vgg]\nstride = 16\n[a.decoder.fcn]\n");
    assert!(message.contains("did you mean `a.decoder.fcn.stride`?"), "{message}");
    let message = fails("[a.encoder.vgg]\nweights = \"v.pth\"\n[a.decoder.fcn]\n");
    let missing = folder.path().join("v.pth");
    assert!(message.contains("line 2: a.encoder.vgg.weights is "), "{message}");
    assert!(message.contains(&missing.display().to_string()), "{message}");
    std::fs::write(&missing, "").expect("a file");
    let networks = read("[a.encoder.vgg]\nweights = \"v.pth\"\n[a.decoder.fcn]\n").expect("a network");
    assert_eq!(networks["a"].start.weights.as_ref(), Some(&missing));
}

/// docs/networks.md has a section for each encoder and decoder, and in it a row for each key with its default.
#[test]
fn the_page_of_options_is_complete() {
    let page = include_str!("../../../../docs/networks.md");
    let encoders = EncoderConfig::defaults().into_iter().map(|member| {
        (format!("model.encoder.{}", member.name()), member.name(), serde_json::to_value(&member).expect("options"))
    });
    let decoders = DecoderConfig::defaults().into_iter().map(|member| {
        (format!("model.decoder.{}", member.name()), member.name(), serde_json::to_value(&member).expect("options"))
    });
    for (table, name, defaults) in encoders.chain(decoders) {
        let (_, section) =
            page.split_once(&format!("\n### `{name}`\n")).unwrap_or_else(|| panic!("no section for {name}"));
        let section = section.split("\n#").next().unwrap_or_default();
        let rows = section.lines().filter(|line| line.starts_with("| `")).map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            (cells[1].trim_matches('`').to_owned(), cells[2].trim_matches('`').to_owned())
        });
        let rows: Vec<(String, String)> = rows.collect();
        let keys: Vec<&String> = rows.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, super::keys(&table).iter().collect::<Vec<_>>(), "{table}");
        for (key, default) in &rows {
            let found = match default.as_str() {
                "-" => serde_json::Value::Null,
                text => serde_json::from_str(text).unwrap_or_else(|_| panic!("{table}.{key}: {text}")),
            };
            assert_eq!(found, defaults[name][key], "{table}.{key}");
        }
    }
    assert_eq!(page.matches("\n### `").count(), EncoderConfig::MEMBERS.len() + DecoderConfig::MEMBERS.len());
}
