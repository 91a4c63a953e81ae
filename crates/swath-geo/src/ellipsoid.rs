//! Lengths and areas on an ellipsoid of revolution.
//!
//! The area between the equator and latitude phi, per radian of longitude, is
//! `b^2/2 [ sin phi / (1 - e^2 sin^2 phi) + 1/(2e) ln((1 + e sin phi) / (1 - e sin phi)) ]`
//! (Snyder 1987, Map Projections: A Working Manual, equation 3-12, with `b^2 = a^2 (1 - e^2)`).

/// Ellipsoid of a CRS. Lengths in metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ellipsoid {
    /// Semi-major axis.
    pub(crate) a: f64,
    /// Semi-minor axis.
    pub(crate) b: f64,
}

impl Ellipsoid {
    /// Area between the equator and `latitude`, in square metres per radian of longitude; negative in the south.
    pub(crate) fn area_to(&self, latitude: f64) -> f64 {
        let sin = latitude.sin();
        let e = self.e2().sqrt();
        // The logarithm divided by 2e, and its limit on a sphere.
        let log = if e < 1e-9 { sin } else { (e * sin).atanh() / e };
        0.5 * self.b * self.b * (sin / (1.0 - e * e * sin * sin) + log)
    }

    /// Metres per radian of longitude and per radian of latitude at `latitude` (radians).
    pub(crate) fn metres_per_radian(&self, latitude: f64) -> (f64, f64) {
        let w2 = 1.0 - self.e2() * latitude.sin().powi(2);
        let prime_vertical = self.a / w2.sqrt();
        let meridian = self.a * (1.0 - self.e2()) / (w2 * w2.sqrt());
        (prime_vertical * latitude.cos(), meridian)
    }

    /// Metres from the centre along three axes, of a point (longitude, latitude) in radians on the ellipsoid.
    pub(crate) fn in_space(&self, (longitude, latitude): (f64, f64)) -> [f64; 3] {
        let prime_vertical = self.a / (1.0 - self.e2() * latitude.sin().powi(2)).sqrt();
        let from_axis = prime_vertical * latitude.cos();
        let height = prime_vertical * (1.0 - self.e2()) * latitude.sin();
        [from_axis * longitude.cos(), from_axis * longitude.sin(), height]
    }

    /// Area of a small polygon of (longitude, latitude) corners in radians, whatever their orientation.
    ///
    /// Exact where edges follow meridians and parallels; elsewhere edges are straight in the equal-area
    /// plane, which for pixel-sized polygons differs by less than one part in a million.
    pub(crate) fn polygon_area(&self, corners: &[(f64, f64)]) -> f64 {
        let Some(&(origin, _)) = corners.first() else { return 0.0 };
        let flat: Vec<(f64, f64)> = corners
            .iter()
            .map(|&(longitude, latitude)| (nearest_turn(longitude - origin), self.area_to(latitude)))
            .collect();
        let floor = flat[0].1;
        let twice: f64 = flat
            .iter()
            .zip(flat.iter().cycle().skip(1))
            .map(|(&(x0, y0), &(x1, y1))| x0 * (y1 - floor) - x1 * (y0 - floor))
            .sum();
        0.5 * twice.abs()
    }

    /// As [`Ellipsoid::polygon_area`] for polygons around or near a pole: edges are straight in Lambert's azimuthal equal-area plane
    /// of the nearer pole, where a point lies at the radius `sqrt(2 (q(pole) - q(latitude)))`.
    pub(crate) fn polar_polygon_area(&self, corners: &[(f64, f64)]) -> f64 {
        let Some(&(_, latitude)) = corners.first() else { return 0.0 };
        let side = latitude.signum();
        let cap = self.area_to(std::f64::consts::FRAC_PI_2);
        let flat: Vec<(f64, f64)> = corners
            .iter()
            .map(|&(longitude, latitude)| {
                let radius = (2.0 * (cap - side * self.area_to(latitude))).max(0.0).sqrt();
                (radius * longitude.cos(), radius * longitude.sin())
            })
            .collect();
        let (x, y) = flat[0];
        let moved = |&(u, v): &(f64, f64)| (u - x, v - y);
        let next = flat.iter().cycle().skip(1).map(moved);
        let twice: f64 = flat.iter().map(moved).zip(next).map(|((x0, y0), (x1, y1))| x0 * y1 - x1 * y0).sum();
        0.5 * twice.abs()
    }

    fn e2(&self) -> f64 {
        1.0 - (self.b * self.b) / (self.a * self.a)
    }
}

/// The angle plus the number of whole turns that brings it closest to zero.
fn nearest_turn(angle: f64) -> f64 {
    angle - std::f64::consts::TAU * (angle / std::f64::consts::TAU).round()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WGS84: Ellipsoid = Ellipsoid { a: 6_378_137.0, b: 6_356_752.314_245_179 };

    fn cell_km2(south: f64, north: f64) -> f64 {
        let strip = WGS84.area_to(north.to_radians()) - WGS84.area_to(south.to_radians());
        strip * 1f64.to_radians() / 1e6
    }

    #[test]
    fn known_areas_of_wgs84() {
        let whole = 360.0 * cell_km2(-90.0, 90.0);
        assert!((whole - 510_065_621.724).abs() < 1e-2, "{whole}");
        assert!((cell_km2(0.0, 1.0) - 12_308.464).abs() < 1e-3);
        assert!((cell_km2(60.0, 61.0) - 6_123.141).abs() < 1e-3);
    }

    #[test]
    fn polygon_area_is_the_cell_in_both_directions_and_over_the_date_line() {
        let radians = |x: f64, y: f64| (x.to_radians(), y.to_radians());
        let mut cell = [radians(179.5, 60.0), radians(-179.5, 60.0), radians(-179.5, 61.0), radians(179.5, 61.0)];
        let expected = cell_km2(60.0, 61.0) * 1e6;
        assert!((WGS84.polygon_area(&cell) / expected - 1.0).abs() < 1e-12);
        cell.reverse();
        assert!((WGS84.polygon_area(&cell) / expected - 1.0).abs() < 1e-12);
    }

    #[test]
    fn polar_and_other_cells_agree_and_a_cap_is_whole() {
        let radians = |x: f64, y: f64| (x.to_radians(), y.to_radians());
        let cell = [radians(30.0, -80.0), radians(30.001, -80.0), radians(30.001, -80.001), radians(30.0, -80.001)];
        let areas = [WGS84.polygon_area(&cell), WGS84.polar_polygon_area(&cell)];
        assert!((areas[0] / areas[1] - 1.0).abs() < 1e-8, "{areas:?}");
        let cap: Vec<(f64, f64)> = (0..3600).map(|tenth| radians(f64::from(tenth) / 10.0, 85.0)).collect();
        let expected = 360.0 * cell_km2(85.0, 90.0) * 1e6;
        assert!((WGS84.polar_polygon_area(&cap) / expected - 1.0).abs() < 1e-5);
    }

    #[test]
    fn sphere_is_the_limit() {
        let sphere = Ellipsoid { a: 1.0, b: 1.0 };
        assert!((sphere.area_to(30f64.to_radians()) - 0.5).abs() < 1e-15);
        assert_eq!(sphere.metres_per_radian(0.0), (1.0, 1.0));
    }
}
