//! How close two outlines are.

use geo::{Coord, LineString, MultiPolygon};

/// PoLiS: the mean distance of the vertices of each polygon to the outline of the other, halved and summed,
/// `1/2 (mean over a of min |a - dB| + mean over b of min |b - dA|)`; `None` where one has no vertex.
///
/// ```
/// use geo::{MultiPolygon, Rect};
/// use swath_vector::objects::polis;
///
/// let square = |x: f64| MultiPolygon::from(Rect::new((x, 0.0), (x + 2.0, 2.0)).to_polygon());
/// // Two vertices of each lie one unit from the other's outline (its wall, or its inside from within), two on it.
/// assert_eq!(polis(&square(0.0), &square(1.0)), Some(0.5));
/// ```
pub fn polis(a: &MultiPolygon<f64>, b: &MultiPolygon<f64>) -> Option<f64> {
    let mean = |from: &MultiPolygon<f64>, to: &MultiPolygon<f64>| {
        let count = vertex_count(from);
        let sum: f64 = vertices(from).map(|vertex| to_outline(vertex, to)).sum();
        (count > 0 && vertex_count(to) > 0).then(|| sum / count as f64)
    };
    Some(0.5 * (mean(a, b)? + mean(b, a)?))
}

/// `IoU (1 - |N - N'| / (N + N'))`: overlap that counts for less the more the numbers of vertices differ.
///
/// ```
/// assert_eq!(swath_vector::objects::c_iou(0.9, 12, 4), 0.45);
/// ```
pub fn c_iou(iou: f64, predicted_vertices: usize, true_vertices: usize) -> f64 {
    let (n, m) = (predicted_vertices as f64, true_vertices as f64);
    if n + m == 0.0 { iou } else { iou * (1.0 - (n - m).abs() / (n + m)) }
}

/// For each vertex of the true polygon the distance to the nearest vertex of the predicted one.
pub fn vertex_distances(predicted: &MultiPolygon<f64>, truth: &MultiPolygon<f64>) -> Vec<f64> {
    let nearest = |from: Coord<f64>| {
        vertices(predicted).map(|to| (from.x - to.x).hypot(from.y - to.y)).fold(f64::INFINITY, f64::min)
    };
    vertices(truth).map(nearest).collect()
}

/// Number of different vertices of all rings.
pub fn vertex_count(shape: &MultiPolygon<f64>) -> usize {
    vertices(shape).count()
}

fn rings(shape: &MultiPolygon<f64>) -> impl Iterator<Item = &LineString<f64>> {
    shape.iter().flat_map(|polygon| std::iter::once(polygon.exterior()).chain(polygon.interiors()))
}

/// Closed rings repeat their first vertex, which counts once.
fn vertices(shape: &MultiPolygon<f64>) -> impl Iterator<Item = Coord<f64>> {
    rings(shape).flat_map(|ring| ring.0[..ring.0.len().saturating_sub(1)].iter().copied())
}

fn to_outline(point: Coord<f64>, shape: &MultiPolygon<f64>) -> f64 {
    let edges = rings(shape).flat_map(|ring| ring.0.windows(2));
    edges.map(|edge| to_edge(point, edge[0], edge[1])).fold(f64::INFINITY, f64::min)
}

fn to_edge(point: Coord<f64>, from: Coord<f64>, to: Coord<f64>) -> f64 {
    let (along, away) = (to - from, point - from);
    let length2 = along.x * along.x + along.y * along.y;
    let part = if length2 > 0.0 { ((away.x * along.x + away.y * along.y) / length2).clamp(0.0, 1.0) } else { 0.0 };
    (away.x - part * along.x).hypot(away.y - part * along.y)
}
