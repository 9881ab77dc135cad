/** The number in a site's path, e.g. 3 of `text_encoder.encoder.layer.3.output`; its place in the list where it has none. */
export function layerOf(site: string, index: number): number {
  const number = site.match(/\.layers?\.(\d+)(?:\.|$)/)?.[1];
  return number === undefined ? index : Number(number);
}
