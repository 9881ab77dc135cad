/** What shaders/embed.ts knows of a kernel. The type parameters are the names of its bindings, overrides and parameters. */
export interface Shader<Binding extends string, Overrides, Param extends string> {
  readonly name: string;
  /** In the order of their binding numbers. */
  readonly bindings: readonly { readonly name: Binding; readonly kind: string }[];
  /** Fields of the immediate `params`, four bytes each. */
  readonly params: readonly { readonly name: Param; readonly type: string }[];
  /** One code for all tiers, or one with subgroups and one without, or one with matrix units and one that emulates them. */
  readonly code: {
    readonly plain?: string;
    readonly subgroup?: string;
    readonly workgroup?: string;
    readonly units?: string;
    readonly emulated?: string;
  };
  /** Only a type: which overrides there are. */
  readonly overrides?: Overrides;
}
