//! Threads that read while others write, with a cache of blocks that is always full. A program of its own: the cache is everyone's.

use std::path::Path;

use gdal::DriverManager;
use gdal::raster::{Buffer, RasterCreationOptions};
use gdal::spatial_ref::SpatialRef;
use swath_geo::{Edge, Scene};

/// Writes a GeoTIFF as a program beside Swath would.
fn write(path: &Path, size: usize, options: &[&str], values: &[u16]) {
    let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
    let options = RasterCreationOptions::from_iter(options.iter().copied());
    swath_geo::write_rasters(|| {
        let mut dataset = driver.create_with_band_type_with_options::<u16, _>(path, size, size, 1, &options).unwrap();
        dataset.set_geo_transform(&[330_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0]).unwrap();
        dataset.set_spatial_ref(&SpatialRef::from_epsg(32633).unwrap()).unwrap();
        let mut buffer = Buffer::new((size, size), values.to_vec());
        dataset.rasterband(1).unwrap().write((0, 0), (size, size), &mut buffer).unwrap();
    });
}

fn read(path: &Path) -> Vec<f32> {
    let scene = Scene::open_paths(&[path]).unwrap();
    scene.reader().unwrap().read(scene.grid().window(), Edge::Invalid).unwrap().values.data
}

/// Without turns a reader writes out blocks of files that others are closing, and such runs end with crashes and lost pixels.
#[test]
fn threads_that_read_leave_files_alone_that_others_write() {
    swath_geo::init();
    swath_geo::set_cache_mb(0);
    let folder = tempfile::tempdir().unwrap();
    // Many small blocks, each of which throws all others out of the cache.
    let mosaic = folder.path().join("mosaic.tif");
    let values: Vec<u16> = (0..512 * 512).map(|at| (at % 60_000) as u16).collect();
    write(&mosaic, 512, &["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16"], &values);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..400u16 {
                let path = folder.path().join("written.tif");
                let values: Vec<u16> = (0..1024).map(|at| at ^ (round << 4)).collect();
                write(&path, 32, &[], &values);
                assert!(read(&path).iter().copied().eq(values.into_iter().map(f32::from)), "round {round}");
            }
        });
        while !writer.is_finished() {
            assert!(read(&mosaic).iter().copied().eq(values.iter().copied().map(f32::from)));
        }
    });
}
