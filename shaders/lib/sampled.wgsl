// Textures as they are read fastest by SwiftShader, whose storage textures take nearly twice as long.

alias Texels = texture_2d<u32>;

fn load(texels: Texels, at: vec2u) -> vec4u { return textureLoad(texels, at, 0); }
