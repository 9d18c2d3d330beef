//! QR codes (ISO/IEC 18004) of short texts, as SVG and as PNG.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use png::{BitDepth, ColorType, Encoder};
use qrcode::render::svg;
use qrcode::{Color, EcLevel};

/// Modules of white around the code.
const QUIET: usize = 4;
/// Pixels of a module in the PNG.
const SCALE: usize = 6;

/// The text cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("a QR code could not be drawn")]
pub struct QrError;

/// A drawn code. What it says is a secret as often as not: it does not print.
pub struct QrCode(qrcode::QrCode);

impl QrCode {
    /// Draws a text.
    pub fn of(text: &str) -> Result<Self, QrError> {
        qrcode::QrCode::with_error_correction_level(text, EcLevel::M)
            .map(Self)
            .map_err(|_| QrError)
    }

    /// As SVG markup.
    pub fn svg(&self) -> String {
        self.0
            .render::<svg::Color<'_>>()
            .min_dimensions(240, 240)
            .build()
    }

    /// As a `data:` URL of a PNG (RFC 2397).
    pub fn png_url(&self) -> Result<String, QrError> {
        Ok(format!(
            "data:image/png;base64,{}",
            STANDARD.encode(self.png()?)
        ))
    }

    fn png(&self) -> Result<Vec<u8>, QrError> {
        let side = (self.0.width() + 2 * QUIET) * SCALE;
        let pixels = u32::try_from(side).map_err(|_| QrError)?;
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out, pixels, pixels);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(BitDepth::One);
        let mut writer = encoder.write_header().map_err(|_| QrError)?;
        let bits: Vec<u8> = (0..side).flat_map(|y| self.row(y, side)).collect();
        writer.write_image_data(&bits).map_err(|_| QrError)?;
        writer.finish().map_err(|_| QrError)?;
        Ok(out)
    }

    /// One row of pixels, eight to a byte, white where the bit is set.
    fn row(&self, y: usize, side: usize) -> Vec<u8> {
        let mut row = vec![0xff; side.div_ceil(8)];
        for x in (0..side).filter(|x| self.is_dark(*x, y)) {
            row[x / 8] &= !(0x80 >> (x % 8));
        }
        row
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        let module = |pixel: usize| (pixel / SCALE).checked_sub(QUIET);
        let (Some(x), Some(y)) = (module(x), module(y)) else {
            return false;
        };
        let width = self.0.width();
        x < width && y < width && self.0[(x, y)] == Color::Dark
    }
}
