//! A module around `image, PNG`.

use image::{ImageFormat, Rgb, RgbImage};
use segue_sdk::prelude::*;
use std::io::Cursor;

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if !works()? {
            return Err(Fault::new("wrong result"));
        }
        reply.text("ok zimage\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let picture = RgbImage::from_fn(16, 16, |x, y| Rgb([x as u8, y as u8, 42]));
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png)?;
    Ok(image::load_from_memory(file.get_ref())?.to_rgb8() == picture)
}

export_module!(Row);
