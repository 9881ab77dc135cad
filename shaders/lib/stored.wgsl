// Textures as they are read fastest by lavapipe: no lane asks which level it wants, as in sampled textures.

alias Texels = texture_storage_2d<rgba32uint, read>;

fn load(texels: Texels, at: vec2u) -> vec4u { return textureLoad(texels, at); }
