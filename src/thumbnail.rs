//! Small pictures for a gallery, made from the images that people keep: JPEG, PNG, GIF and WebP.
//!
//! The bytes may come from anyone. So their kind is told from what they are and not from a name, sizes are read before
//! anything is unpacked, and whatever would take more than about 100 MiB of memory is refused. A JPEG is unpacked at an
//! eighth of its size if that is enough, so that those of a large camera pass; other images must be unpacked whole.

mod lossless;

use std::io::{self, Chain, Cursor, Read};
use std::panic::{UnwindSafe, catch_unwind};

use image::codecs::gif::GifDecoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::imageops::{self, FilterType};
use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, GenericImageView, ImageDecoder, ImageError, ImageFormat, Limits, Rgb, RgbImage, Rgba,
};
use jpeg_decoder::{Decoder, PixelFormat};
use thiserror::Error;

/// Neither side of a thumbnail is longer, in pixels.
const LONGEST: u32 = 480;

/// How well a thumbnail is kept, of 100.
const QUALITY: u8 = 80;

/// As many pixels a JPEG may have: those of the largest phone cameras, which have 200 million, and some more.
const JPEG_PIXELS: u64 = 256_000_000;

/// As many pixels any other image may have.
const PIXELS: u64 = 24_000_000;

/// As many bytes an image other than a JPEG may take while it is unpacked.
const MEMORY: u64 = 96 << 20;

/// As many bytes the parts of a progressive JPEG may take, that must be held until the last of them is read, with the
/// copy that is made of the largest if the file is incomplete.
const PARTS: u64 = 116 << 20;

/// As many bytes of a PNG's notes and colour profile are read.
const NOTES: u64 = 8 << 20;

/// As many blocks of 64 pixels are read from a JPEG, each as often as the file goes over it.
const BLOCKS: u64 = 60_000_000;

/// How many markers a JPEG may have: photos have some dozens, and metadata of some megabytes looks like thousands.
const MARKERS: u64 = 100_000;

/// A small picture of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// A baseline JPEG without any metadata.
    pub jpeg: Vec<u8>,
    /// In pixels, at most 480.
    pub width: u32,
    /// In pixels, at most 480.
    pub height: u32,
}

/// Why there is no thumbnail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoThumbnail {
    /// The bytes are none of the kinds of image that are read here.
    #[error("this is not a JPEG, PNG, GIF or WebP image")]
    NotAnImage,
    /// To unpack it would take too much memory or time.
    #[error("the image is too large for a thumbnail")]
    TooLarge,
    /// It is damaged, or written in a way that is not understood.
    #[error("the image cannot be read")]
    Broken,
}

type Result<T> = std::result::Result<T, NoThumbnail>;

/// Makes the thumbnail of an image: no larger than 480 × 480 pixels nor than the image itself, upright as its metadata
/// says, the first picture if it moves, and on white where it is transparent. Colour profiles are not applied.
///
/// This takes the processor's time, up to a second or so, and blocks: call it off the asynchronous threads.
///
/// # Errors
/// If the bytes are no image, one that is too large, or one that is broken.
pub fn make(bytes: &[u8]) -> Result<Thumbnail> {
    caught(|| draw(bytes))
}

/// What comes of it, or that the image is broken if a decoder panics over it.
fn caught(work: impl FnOnce() -> Result<Thumbnail> + UnwindSafe) -> Result<Thumbnail> {
    catch_unwind(work).unwrap_or(Err(NoThumbnail::Broken))
}

fn draw(bytes: &[u8]) -> Result<Thumbnail> {
    let (picture, orientation) = match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => jpeg(bytes)?,
        Ok(ImageFormat::Png) => png(bytes)?,
        Ok(ImageFormat::Gif) => gif(bytes)?,
        Ok(ImageFormat::WebP) => webp(bytes)?,
        _ => return Err(NoThumbnail::NotAnImage),
    };
    let mut small = DynamicImage::ImageRgb8(shrink(&picture));
    drop(picture);
    small.apply_orientation(orientation);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&small).map_err(reason)?;
    Ok(Thumbnail { jpeg, width: small.width(), height: small.height() })
}

/// Shrinks a picture to the size of a thumbnail: a large one by whole averages to about twice that, then smoothly.
fn shrink(picture: &DynamicImage) -> RgbImage {
    let (width, height) = fit(picture.width(), picture.height());
    let view = OnWhite(picture);
    if picture.width().max(picture.height()) <= 4 * LONGEST {
        return imageops::resize(&view, width, height, FilterType::Triangle);
    }
    let twice = (picture.width().min(2 * width), picture.height().min(2 * height));
    let between = imageops::thumbnail(&view, twice.0, twice.1);
    imageops::resize(&between, width, height, FilterType::Triangle)
}

/// The size of the thumbnail of an image of this size, before it is turned.
fn fit(width: u32, height: u32) -> (u32, u32) {
    let longer = u64::from(width.max(height));
    let scaled = |side: u32| {
        let side = (u64::from(side) * u64::from(LONGEST) + longer / 2) / longer.max(1);
        u32::try_from(side).unwrap_or(LONGEST).clamp(1, LONGEST)
    };
    if longer <= u64::from(LONGEST) { (width, height) } else { (scaled(width), scaled(height)) }
}

/// A picture as it looks on white paper, without a copy of it being made.
struct OnWhite<'a>(&'a DynamicImage);

impl GenericImageView for OnWhite<'_> {
    type Pixel = Rgb<u8>;

    fn dimensions(&self) -> (u32, u32) {
        self.0.dimensions()
    }

    fn get_pixel(&self, x: u32, y: u32) -> Rgb<u8> {
        let Rgba([red, green, blue, opacity]) = self.0.get_pixel(x, y);
        Rgb([red, green, blue].map(|part| product(part, opacity) + (255 - opacity)))
    }
}

/// The product of two parts of 255, rounded down.
fn product(one: u8, other: u8) -> u8 {
    u8::try_from(u32::from(one) * u32::from(other) / 255).unwrap_or(u8::MAX)
}

fn png(bytes: &[u8]) -> Result<(DynamicImage, Orientation)> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(NOTES);
    let mut decoder = PngDecoder::with_limits(Cursor::new(bytes), limits).map_err(reason)?;
    let size = u64::from(decoder.color_type().bytes_per_pixel());
    allow(decoder.dimensions(), size)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((DynamicImage::from_decoder(decoder).map_err(reason)?, orientation))
}

fn gif(bytes: &[u8]) -> Result<(DynamicImage, Orientation)> {
    let mut decoder = GifDecoder::new(Cursor::new(bytes)).map_err(reason)?;
    // Four bytes of each pixel of the picture, four of each in a frame that does not fill it, and one that is its colour's
    // number.
    let left = MEMORY - allow(decoder.dimensions(), 5)?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(left / 5 * 4);
    decoder.set_limits(limits).map_err(reason)?;
    Ok((DynamicImage::from_decoder(decoder).map_err(reason)?, Orientation::NoTransforms))
}

fn webp(bytes: &[u8]) -> Result<(DynamicImage, Orientation)> {
    let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(reason)?;
    // What the decoder holds at once: the picture, its planes of colour, its opacity, and a canvas if it moves.
    let seen_through = decoder.color_type() == ColorType::Rgba8;
    let each = match bytes.get(12..16) {
        _ if decoder.has_animation() => 15,
        Some(b"VP8 ") => 5,
        Some(b"VP8L") if seen_through => 6,
        _ if seen_through => 11,
        _ => 8,
    };
    let size = decoder.dimensions();
    let mut held = allow(size, each)?;
    for size in lossy_sizes(bytes) {
        held = held.max(allow(size, each)?);
    }
    let inside = bytes.get(12..).unwrap_or_default();
    if held + codes(inside, size)? > MEMORY {
        return Err(NoThumbnail::TooLarge);
    }
    let orientation = chunk(inside, b"EXIF")
        .and_then(|exif| Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif)));
    Ok((DynamicImage::from_decoder(decoder).map_err(reason)?, orientation.unwrap_or(Orientation::NoTransforms)))
}

/// The sizes that the lossy pictures in a WebP give. The decoder compares them with the size of the whole only when it
/// has unpacked them.
fn lossy_sizes(bytes: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    let side = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    bytes.windows(18).filter_map(move |window| match window {
        [b'V', b'P', b'8', b' ', _, _, _, _, _, _, _, 0x9d, 1, 0x2a, w, wide, h, high] => {
            Some((side(*w, *wide), side(*h, *high)))
        }
        _ => None,
    })
}

/// As many bytes as the codes of the lossless pictures take that are unpacked: of the first, of the first opacity, and of
/// those in the first frame.
fn codes(bytes: &[u8], size: (u32, u32)) -> Result<u64> {
    let still = still_codes(bytes, size)?;
    let Some((head, inner)) = chunk(bytes, b"ANMF").and_then(|body| body.split_first_chunk::<16>()) else {
        return Ok(still);
    };
    let side = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], 0]) + 1;
    let size = (side(6), side(9));
    allow(size, 1)?;
    Ok(still + still_codes(inner, size)?)
}

fn still_codes(bytes: &[u8], size: (u32, u32)) -> Result<u64> {
    let picture = chunk(bytes, b"VP8L").map(|stream| lossless::memory(stream, size, true));
    let opacity = match chunk(bytes, b"ALPH") {
        Some([how, stream @ ..]) if how & 3 == 1 => Some(lossless::memory(stream, size, false)),
        _ => None,
    };
    let taken = |memory: Option<Option<u64>>| memory.unwrap_or(Some(0)).ok_or(NoThumbnail::Broken);
    Ok(taken(picture)? + taken(opacity)?)
}

/// The first chunk of this name.
fn chunk<'a>(bytes: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    chunks(bytes).find(|(is, _)| is == name).map(|(_, body)| body)
}

/// The chunks of a WebP with their names, the last as far as it is there. They are found here because the decoder would
/// make room for as many bytes of metadata as the file claims to have.
fn chunks(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let ([a, b, c, d, length @ ..], rest) = bytes.split_first_chunk::<8>()?;
        let length = u32::from_le_bytes(*length) as usize;
        bytes = rest.get(length.saturating_add(length % 2)..).unwrap_or_default();
        Some(([*a, *b, *c, *d], &rest[..length.min(rest.len())]))
    })
}

/// Whether an image of this size may be unpacked if each of its pixels takes this many bytes, and how many bytes that
/// are.
fn allow((width, height): (u32, u32), each: u64) -> Result<u64> {
    let pixels = u64::from(width) * u64::from(height);
    match pixels.saturating_mul(each) {
        0 => Err(NoThumbnail::Broken),
        bytes if pixels > PIXELS || bytes > MEMORY => Err(NoThumbnail::TooLarge),
        bytes => Ok(bytes),
    }
}

fn reason(error: ImageError) -> NoThumbnail {
    match error {
        ImageError::Limits(_) => NoThumbnail::TooLarge,
        _ => NoThumbnail::Broken,
    }
}

fn jpeg(bytes: &[u8]) -> Result<(DynamicImage, Orientation)> {
    let frame = Frame::of(bytes).ok_or(NoThumbnail::Broken)?;
    if u64::from(frame.width) * u64::from(frame.height) > JPEG_PIXELS || frame.held() > PARTS {
        return Err(NoThumbnail::TooLarge);
    }
    let passes = BLOCKS / frame.blocks().sum::<u64>().max(1);
    let mut decoder = Decoder::new(Passes::new(bytes, passes));
    // The decoder is content if one side is long enough, so it is asked for the longer one only.
    let longest = u16::try_from(LONGEST).unwrap_or(u16::MAX);
    let wanted = if frame.width > frame.height { (longest, u16::MAX) } else { (u16::MAX, longest) };
    let (width, height) = decoder.scale(wanted.0, wanted.1).map_err(|_| NoThumbnail::Broken)?;
    let samples = decoder.decode().map_err(|_| NoThumbnail::Broken)?;
    let orientation = decoder.exif_data().and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
    let format = decoder.info().ok_or(NoThumbnail::Broken)?.pixel_format;
    let picture = picture(format, width.into(), height.into(), samples).ok_or(NoThumbnail::Broken)?;
    Ok((picture, orientation))
}

fn picture(format: PixelFormat, width: u32, height: u32, samples: Vec<u8>) -> Option<DynamicImage> {
    match format {
        PixelFormat::L8 => image::GrayImage::from_raw(width, height, samples).map(DynamicImage::ImageLuma8),
        PixelFormat::RGB24 => RgbImage::from_raw(width, height, samples).map(DynamicImage::ImageRgb8),
        PixelFormat::CMYK32 => RgbImage::from_raw(width, height, unprint(&samples)).map(DynamicImage::ImageRgb8),
        PixelFormat::L16 => None,
    }
}

/// The colours that four inks make, each given by how much there is of it.
fn unprint(inks: &[u8]) -> Vec<u8> {
    let mut colours = Vec::with_capacity(inks.len() / 4 * 3);
    for [inks @ .., black] in inks.as_chunks::<4>().0 {
        colours.extend(inks.map(|ink| product(255 - ink, 255 - black)));
    }
    colours
}

/// What the frame header of a JPEG says (ITU-T T.81, section B.2.2).
struct Frame {
    progressive: bool,
    width: u16,
    height: u16,
    /// How often each component is sampled across and down.
    sampling: Vec<(u8, u8)>,
}

impl Frame {
    /// Finds it exactly as the decoder does, so that both go by the same one. Nothing if there is none or it is one of
    /// the kinds that hardly anyone writes: lossless, hierarchical or arithmetically coded.
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.get(2..)?;
        loop {
            let at = rest.windows(2).position(|pair| pair[0] == 0xff && pair[1] != 0xff && pair[1] != 0)?;
            let marker = rest[at + 1];
            let length = usize::from(u16::from_be_bytes(*rest.get(at + 2..)?.first_chunk()?));
            let segment = rest.get(at + 4..(at + 2).checked_add(length)?)?;
            match marker {
                0xc0..=0xc2 => return Self::read(segment, marker == 0xc2),
                0xc4 | 0xdb | 0xdd | 0xe0..=0xef | 0xfe => rest = &rest[at + 2 + length..],
                _ => return None,
            }
        }
    }

    fn read(segment: &[u8], progressive: bool) -> Option<Self> {
        let ([_, h, high, w, wide, _], components) = segment.split_first_chunk::<6>()?;
        let sampling: Vec<_> = components.as_chunks::<3>().0.iter().map(|[_, by, _]| (by >> 4, by & 15)).collect();
        let (width, height) = (u16::from_be_bytes([*w, *wide]), u16::from_be_bytes([*h, *high]));
        (width > 0 && height > 0).then_some(Self { progressive, width, height, sampling })
    }

    /// How many blocks each component has.
    fn blocks(&self) -> impl Iterator<Item = u64> {
        let most = |of: fn(&(u8, u8)) -> u8| self.sampling.iter().map(of).max().unwrap_or(1).max(1);
        let units = |length: u16, most: u8| u64::from(length).div_ceil(8 * u64::from(most));
        let units = units(self.width, most(|by| by.0)) * units(self.height, most(|by| by.1));
        self.sampling.iter().map(move |(across, down)| units * u64::from(*across) * u64::from(*down))
    }

    /// How many bytes are held until the whole file is read. A block is 64 numbers of two bytes.
    fn held(&self) -> u64 {
        let blocks = self.blocks().sum::<u64>() + self.blocks().max().unwrap_or(0);
        if self.progressive { blocks * 128 } else { 0 }
    }
}

/// Reads a JPEG, but no more than some of the passes over the picture that it is made of: each takes little room in the
/// file, but much time. After the last byte it reads an end mark, so that one that was cut off shows what there is.
struct Passes<'a> {
    bytes: Chain<&'a [u8], &'static [u8]>,
    left: u64,
    markers: u64,
    last: u8,
}

impl<'a> Passes<'a> {
    fn new(bytes: &'a [u8], left: u64) -> Self {
        Self { bytes: bytes.chain(&[0xff, 0xd9]), left, markers: MARKERS, last: 0 }
    }
}

impl Read for Passes<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.bytes.read(into)?;
        for byte in &into[..length] {
            if (self.last, *byte) == (0xff, 0xda) {
                self.left = self.left.checked_sub(1).ok_or_else(|| io::Error::other("too many passes"))?;
            }
            // Tables, headers, passes; neither stuffing nor the marks at which a decoder may begin again.
            if self.last == 0xff && matches!(byte, 0xc0..=0xcf | 0xd8..=0xfe) {
                self.markers = self.markers.checked_sub(1).ok_or_else(|| io::Error::other("too many segments"))?;
            }
            self.last = *byte;
        }
        Ok(length)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use image::codecs::gif::GifEncoder;
    use image::codecs::png::PngEncoder;
    use image::codecs::webp::WebPEncoder;
    use image::{Frame as Picture, ImageBuffer, ImageEncoder, Luma, LumaA, RgbaImage};

    use super::*;

    const RED: [u8; 3] = [255, 0, 0];
    const GREEN: [u8; 3] = [0, 200, 0];
    const BLUE: [u8; 3] = [0, 0, 255];
    const BLACK: [u8; 3] = [0, 0, 0];
    const WHITE: [u8; 3] = [255, 255, 255];
    const GREY: [u8; 3] = [128, 128, 128];

    #[test]
    fn it_fits_and_is_never_enlarged() {
        for (width, height, made) in [
            (2_000, 1_000, (480, 240)),
            (1_000, 2_000, (240, 480)),
            (1_000, 1_000, (480, 480)),
            (481, 480, (480, 479)),
            (480, 480, (480, 480)),
            (30, 20, (30, 20)),
            (1, 1, (1, 1)),
            (3_000, 2, (480, 1)),
            (1, 3_000, (1, 480)),
        ] {
            let picture = DynamicImage::from(RgbImage::from_pixel(width, height, Rgb(GREEN)));
            for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
                let thumbnail = make(&file(&picture, format)).unwrap();
                assert_eq!((thumbnail.width, thumbnail.height), made, "{width} × {height}, {format:?}");
                let seen = seen(&thumbnail);
                assert_eq!(seen.dimensions(), made);
                assert!(close(seen.get_pixel(made.0 / 2, made.1 / 2).0, GREEN), "{width} × {height}, {format:?}");
            }
        }
    }

    #[test]
    fn it_is_upright() {
        let quarters = quarters();
        let plain = file(&quarters, ImageFormat::Jpeg);
        // What is seen at the top left, top right, bottom left and bottom right.
        for (orientation, corners) in [
            (1, [RED, GREEN, BLUE, BLACK]),
            (2, [GREEN, RED, BLACK, BLUE]),
            (3, [BLACK, BLUE, GREEN, RED]),
            (4, [BLUE, BLACK, RED, GREEN]),
            (5, [RED, BLUE, GREEN, BLACK]),
            (6, [BLUE, RED, BLACK, GREEN]),
            (7, [BLACK, GREEN, BLUE, RED]),
            (8, [GREEN, BLACK, RED, BLUE]),
        ] {
            let exif = exif(orientation);
            let mut with_mark = b"Exif\0\0".to_vec();
            with_mark.extend(&exif);
            let jpeg = with_segment(&plain, 0xe1, &with_mark);
            let (mut png, mut webp, mut marked) = (Vec::new(), Vec::new(), Vec::new());
            let mut encoder = PngEncoder::new(&mut png);
            encoder.set_exif_metadata(exif.clone()).unwrap();
            quarters.write_with_encoder(encoder).unwrap();
            for (exif, webp) in [(exif, &mut webp), (with_mark, &mut marked)] {
                let mut encoder = WebPEncoder::new_lossless(webp);
                encoder.set_exif_metadata(exif).unwrap();
                quarters.write_with_encoder(encoder).unwrap();
            }
            for (kind, bytes) in [("JPEG", jpeg), ("PNG", png), ("WebP", webp), ("marked WebP", marked)] {
                let seen = seen(&make(&bytes).unwrap());
                assert_eq!(seen.dimensions(), if orientation < 5 { (64, 32) } else { (32, 64) });
                let (right, bottom) = (seen.width() - 4, seen.height() - 4);
                for (at, colour) in [(4, 4), (right, 4), (4, bottom), (right, bottom)].into_iter().zip(corners) {
                    let is = seen.get_pixel(at.0, at.1).0;
                    assert!(close(is, colour), "{kind}, orientation {orientation}, at {at:?}: {is:?}, not {colour:?}");
                }
            }
        }
    }

    #[test]
    fn a_wrong_orientation_is_ignored() {
        let plain = file(&quarters(), ImageFormat::Jpeg);
        for exif in [exif(0), exif(9), exif(6)[..12].to_vec(), b"MM".to_vec(), Vec::new()] {
            let jpeg = with_segment(&plain, 0xe1, &[b"Exif\0\0".as_slice(), &exif].concat());
            assert!(close(seen(&make(&jpeg).unwrap()).get_pixel(4, 4).0, RED));
        }
    }

    #[test]
    fn no_metadata_is_left() {
        let place = b"GPS 47.3769 N 8.5417 E";
        let plain = file(&quarters(), ImageFormat::Jpeg);
        let mut exif = [b"Exif\0\0".as_slice(), &exif(1)].concat();
        exif.extend(place);
        let jpeg = with_segment(&with_segment(&plain, 0xfe, place), 0xe1, &exif);
        let (mut png, mut webp) = (Vec::new(), Vec::new());
        let mut encoder = PngEncoder::new(&mut png);
        encoder.set_exif_metadata(exif[6..].to_vec()).unwrap();
        encoder.set_icc_profile(place.to_vec()).unwrap();
        quarters().write_with_encoder(encoder).unwrap();
        let mut encoder = WebPEncoder::new_lossless(&mut webp);
        encoder.set_exif_metadata(exif[6..].to_vec()).unwrap();
        quarters().write_with_encoder(encoder).unwrap();
        for bytes in [jpeg, png, webp] {
            let made = make(&bytes).unwrap().jpeg;
            for secret in [b"Exif".as_slice(), b"GPS", b"47.3769", b"ICC"] {
                assert!(!made.windows(secret.len()).any(|window| window == secret));
            }
            // JFIF, the frame header of a baseline JPEG, tables and the picture.
            let mut markers = markers(&made);
            markers.dedup();
            assert_eq!(markers, [0xe0, 0xc0, 0xdb, 0xc4, 0xda]);
        }
    }

    #[test]
    fn what_is_transparent_is_white() {
        let half = RgbaImage::from_fn(40, 20, |x, _| if x < 20 { Rgba([0, 0, 0, 0]) } else { Rgba([0, 0, 0, 255]) });
        for format in [ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
            let seen = seen(&make(&file(&DynamicImage::from(half.clone()), format)).unwrap());
            assert!(close(seen.get_pixel(5, 10).0, WHITE) && close(seen.get_pixel(35, 10).0, BLACK), "{format:?}");
        }
        let veil = RgbaImage::from_pixel(20, 20, Rgba([0, 0, 0, 127]));
        assert!(close(middle(&file(&DynamicImage::from(veil), ImageFormat::Png)), GREY));
        let veil = ImageBuffer::from_pixel(20, 20, LumaA([0_u16, 0x7fff]));
        assert!(close(middle(&file(&DynamicImage::from(veil), ImageFormat::Png)), GREY));
    }

    #[test]
    fn every_depth_is_read() {
        let grey = ImageBuffer::from_pixel(700, 500, Luma([128_u8]));
        let deep = ImageBuffer::from_pixel(700, 500, Luma([0x8080_u16]));
        let coloured = ImageBuffer::from_pixel(700, 500, Rgb([0xffff_u16, 0, 0]));
        assert!(close(middle(&file(&DynamicImage::from(grey.clone()), ImageFormat::Jpeg)), GREY));
        assert!(close(middle(&file(&DynamicImage::from(grey), ImageFormat::Png)), GREY));
        assert!(close(middle(&file(&DynamicImage::from(deep), ImageFormat::Png)), GREY));
        assert!(close(middle(&file(&DynamicImage::from(coloured), ImageFormat::Png)), RED));
    }

    #[test]
    fn a_progressive_jpeg_and_one_in_ink_are_read() {
        let progressive = seen(&make(&from_hex(PROGRESSIVE)).unwrap());
        assert!(close(progressive.get_pixel(3, 8).0, RED) && close(progressive.get_pixel(12, 8).0, BLUE));
        let inks = seen(&make(&from_hex(INKS)).unwrap());
        assert!(close(inks.get_pixel(3, 8).0, [0, 255, 255]) && close(inks.get_pixel(12, 8).0, GREY));
    }

    #[test]
    fn the_first_picture_of_a_moving_one_is_taken() {
        let frames = [RED, BLUE].map(|[r, g, b]| RgbaImage::from_pixel(20, 10, Rgba([r, g, b, 255])));
        let mut gif = Vec::new();
        GifEncoder::new(&mut gif).encode_frames(frames.clone().map(Picture::new)).unwrap();
        assert!(close(middle(&gif), RED));
        let frames = frames.map(|frame| file(&DynamicImage::from(frame), ImageFormat::WebP)[12..].to_vec());
        let framed =
            |frame: &Vec<u8>| part(b"ANMF", &[&[0, 0, 0, 0, 0, 0, 19, 0, 0, 9, 0, 0, 9, 0, 0, 0], &frame[..]].concat());
        let body = [extended(20, 10, 2), part(b"ANIM", &[0; 6]), framed(&frames[0]), framed(&frames[1])].concat();
        assert!(close(middle(&riff(&body)), RED));
    }

    #[test]
    fn the_kind_is_told_by_the_bytes() {
        for bytes in
            [b"".as_slice(), b"\xff", b"Dear Ana,", b"II*\0\x08\0\0\0\0\0", b"BM\0\0\0\0", b"%PDF-1.7", &[0; 1_000]]
        {
            assert_eq!(make(bytes), Err(NoThumbnail::NotAnImage), "{bytes:?}");
        }
        for bytes in [b"\xff\xd8\xff".as_slice(), b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBP"] {
            assert_eq!(make(bytes), Err(NoThumbnail::Broken), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused() {
        for (name, bytes) in [
            ("PNG", sized_png(30_000, 30_000)),
            ("long PNG", sized_png(24_000_001, 1)),
            ("GIF", sized_gif((30_000, 30_000), (1, 1))),
            ("GIF with a large frame", sized_gif((1, 1), (65_535, 65_535))),
            ("GIF with a large frame and picture", sized_gif((4_000, 4_000), (4_001, 4_000))),
            ("JPEG", sized_jpeg(0xc0, 65_535, 65_535)),
            ("progressive JPEG", sized_jpeg(0xc2, 8_064, 6_048)),
            ("WebP", riff(&part(b"VP8 ", &lossy(16_383, 16_383)))),
            ("extended WebP", riff(&[extended(16_384, 16_384, 0), part(b"VP8 ", &lossy(16, 16))].concat())),
            ("WebP in a small one", riff(&[extended(8, 8, 0), part(b"VP8 ", &lossy(16_383, 16_383))].concat())),
            ("WebP with many codes", riff(&part(b"VP8L", &lossless::tests::greedy(6_000)))),
        ] {
            assert_eq!(make(&bytes), Err(NoThumbnail::TooLarge), "{name}");
        }
    }

    #[test]
    fn what_is_broken_is_refused() {
        let claims = [b"EXIF".as_slice(), &0xffff_fff0_u32.to_le_bytes(), b"MM"].concat();
        for (name, bytes) in [
            ("PNG without width", sized_png(0, 5)),
            ("PNG without data", sized_png(5_000, 1_000)),
            ("GIF without height", sized_gif((5, 0), (5, 5))),
            ("JPEG without width", sized_jpeg(0xc0, 0, 10)),
            ("JPEG without height", sized_jpeg(0xc0, 10, 0)),
            ("lossless JPEG", sized_jpeg(0xc3, 10, 10)),
            ("arithmetic JPEG", sized_jpeg(0xc9, 10, 10)),
            ("WebP without width", riff(&part(b"VP8 ", &lossy(0, 10)))),
            ("WebP without data", riff(&part(b"VP8 ", &lossy(100, 100)))),
            (
                "WebP with 4 GB of metadata",
                riff(&[extended(16, 16, 8), part(b"VP8 ", &lossy(16, 16)), claims].concat()),
            ),
        ] {
            assert_eq!(make(&bytes), Err(NoThumbnail::Broken), "{name}");
        }
    }

    #[test]
    fn a_jpeg_may_not_go_over_its_picture_for_ever() {
        let jpeg = file(&quarters(), ImageFormat::Jpeg);
        let read = |passes| io::copy(&mut Passes::new(&jpeg, passes), &mut io::sink());
        assert_eq!(read(1).unwrap(), jpeg.len() as u64 + 2, "with the end mark");
        assert!(read(0).is_err());
        let frame = Frame { progressive: true, width: 8_064, height: 6_048, sampling: vec![(2, 2), (1, 1), (1, 1)] };
        assert_eq!(frame.blocks().collect::<Vec<_>>(), [762_048, 190_512, 190_512]);
        assert_eq!(frame.held(), (762_048 * 2 + 190_512 * 2) * 128);
    }

    #[test]
    fn half_a_jpeg_shows_its_upper_half() {
        let picture = RgbImage::from_fn(800, 800, |x, y| if (x / 8 + y / 8) % 2 == 0 { Rgb(RED) } else { Rgb(BLACK) });
        let jpeg = file(&DynamicImage::from(picture), ImageFormat::Jpeg);
        let thumbnail = make(&jpeg[..jpeg.len() / 2]).unwrap();
        assert_eq!((thumbnail.width, thumbnail.height), (480, 480));
        assert!(seen(&thumbnail).rows().take(100).flatten().any(|pixel| close(pixel.0, RED)));
    }

    #[test]
    fn damage_is_never_more_than_that() {
        let picture = DynamicImage::from(RgbImage::from_fn(24, 16, |x, y| Rgb([x, y, x * y].map(|part| part as u8))));
        let formats = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP];
        let files = formats.map(|format| file(&picture, format));
        for bytes in files.into_iter().chain([from_hex(PROGRESSIVE), from_hex(INKS)]) {
            for at in 0..bytes.len() {
                let _ = make(&bytes[..at]);
                for other in [0, 0xff, bytes[at] ^ 0x10, bytes[at] ^ 1] {
                    let mut changed = bytes.clone();
                    changed[at] = other;
                    if let Ok(thumbnail) = make(&changed) {
                        assert!(thumbnail.width <= LONGEST && thumbnail.height <= LONGEST);
                    }
                }
            }
        }
    }

    #[test]
    fn a_panic_is_caught() {
        assert_eq!(caught(|| panic!("as a decoder might")), Err(NoThumbnail::Broken));
    }

    fn quarters() -> DynamicImage {
        DynamicImage::from(RgbImage::from_fn(64, 32, |x, y| match (x < 32, y < 16) {
            (true, true) => Rgb(RED),
            (false, true) => Rgb(GREEN),
            (true, false) => Rgb(BLUE),
            (false, false) => Rgb(BLACK),
        }))
    }

    fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let picture = if format == ImageFormat::Gif { &DynamicImage::from(picture.to_rgba8()) } else { picture };
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    fn seen(thumbnail: &Thumbnail) -> RgbImage {
        assert_eq!(image::guess_format(&thumbnail.jpeg).unwrap(), ImageFormat::Jpeg);
        image::load_from_memory(&thumbnail.jpeg).unwrap().to_rgb8()
    }

    fn middle(bytes: &[u8]) -> [u8; 3] {
        let seen = seen(&make(bytes).unwrap());
        seen.get_pixel(seen.width() / 2, seen.height() / 2).0
    }

    fn close(one: [u8; 3], other: [u8; 3]) -> bool {
        one.into_iter().zip(other).all(|(one, other)| one.abs_diff(other) < 24)
    }

    /// Metadata that says nothing but the orientation.
    fn exif(orientation: u8) -> Vec<u8> {
        let mut exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
        exif
    }

    fn with_segment(jpeg: &[u8], marker: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
        [&jpeg[..2], &[0xff, marker], &length, body, &jpeg[2..]].concat()
    }

    fn markers(jpeg: &[u8]) -> Vec<u8> {
        let (mut at, mut markers) = (2, Vec::new());
        while markers.last() != Some(&0xda) {
            assert_eq!(jpeg[at], 0xff);
            markers.push(jpeg[at + 1]);
            at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        }
        markers
    }

    /// A JPEG that says that it is of another kind and size than it is.
    fn sized_jpeg(marker: u8, width: u16, height: u16) -> Vec<u8> {
        let mut jpeg = file(&quarters(), ImageFormat::Jpeg);
        let at = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        jpeg[at + 1] = marker;
        jpeg[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
        jpeg[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
        jpeg
    }

    fn sized_png(width: u32, height: u32) -> Vec<u8> {
        let mut png = file(&quarters(), ImageFormat::Png);
        png[16..20].copy_from_slice(&width.to_be_bytes());
        png[20..24].copy_from_slice(&height.to_be_bytes());
        let sum = png[12..29].iter().fold(u32::MAX, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 })
        });
        png[29..33].copy_from_slice(&(!sum).to_be_bytes());
        png
    }

    fn sized_gif(picture: (u16, u16), frame: (u16, u16)) -> Vec<u8> {
        let mut gif = b"GIF89a".to_vec();
        gif.extend([picture.0, picture.1].into_iter().flat_map(u16::to_le_bytes));
        gif.extend(b"\x80\0\0\xff\0\0\0\xff\0\x2c\0\0\0\0");
        gif.extend([frame.0, frame.1].into_iter().flat_map(u16::to_le_bytes));
        gif.extend(b"\0\x02\x02\x4c\x01\0\x3b");
        gif
    }

    fn riff(body: &[u8]) -> Vec<u8> {
        part(b"RIFF", &[b"WEBP", body].concat())
    }

    fn part(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        [name, &length, body, &[0][..body.len() % 2]].concat()
    }

    /// The head of a WebP that has more than a picture: with the flag 2 it moves, with 8 it has metadata.
    fn extended(width: u32, height: u32, flags: u8) -> Vec<u8> {
        let [width, height] = [width, height].map(|side| (side - 1).to_le_bytes());
        part(b"VP8X", &[&[flags, 0, 0, 0], &width[..3], &height[..3]].concat())
    }

    /// The beginning of a lossy picture.
    fn lossy(width: u16, height: u16) -> Vec<u8> {
        [b"\x10\0\0\x9d\x01\x2a".as_slice(), &width.to_le_bytes(), &height.to_le_bytes(), &[0; 8]].concat()
    }

    fn from_hex(text: &str) -> Vec<u8> {
        let digits: Vec<_> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
    }

    /// 16 × 16 pixels in several passes, red on the left and blue on the right.
    const PROGRESSIVE: &str = "\
        ffd8ffe000104a46494600010200000100010000ffc20011080010001003001100011101021101ffdb00430006040506050406060506\
        070706080a100a0a09090a140e0f0c1017141818171416161a1d251f1a1b231c1616202c20232627292a29191f2d302d283025282928\
        ffdb0043010707070a080a130a0a13281a161a2828282828282828282828282828282828282828282828282828282828282828282828\
        282828282828282828282828282828ffc4001500010100000000000000000000000000000607ffc40014100100000000000000000000\
        000000000000ffc4001501010100000000000000000000000000000806ffc40014110100000000000000000000000000000000ffda00\
        080100000000009d007e03ffda00080101110000008e610f585fffda0008010211000000489595256fffda00080100000114000fffda\
        00080101110114000fffda00080102110114000fffda00080100001529000fffda00080101111529000fffda00080102111529000fff\
        da00080100002a3f000fffda00080101112a3f000fffda00080102112a3f000fffd9";

    /// 16 × 16 pixels in four inks, full cyan on the left and half black on the right.
    const INKS: &str = "\
        ffd8ffe000104a46494600010200000100010000ffee000e41646f626500000000000000ffc000140800100010040011010111010211\
        01032200ffdb00430006040506050406060506070706080a100a0a09090a140e0f0c1017141818171416161a1d251f1a1b231c161620\
        2c20232627292a29191f2d302d283025282928ffdb0043010707070a080a130a0a13281a161a28282828282828282828282828282828\
        28282828282828282828282828282828282828282828282828282828282828282828ffc4001400010000000000000000000000000000\
        0008ffc40014100100000000000000000000000000000000ffc4001501010100000000000000000000000000000801ffc40018110100\
        030100000000000000000000000000084583c3ffda0008010011003f0091eec72eafffda0008010111003f0048bfffda000801021100\
        3f0048bfffda0008010300003f00548aa550aaffd9";
}
