declare const brand: unique symbol

/**
 * Marks a type whose values only its maker returns: nobody can write one as a literal, because nobody else has the symbol. A
 * maker says `as`; test/brands.test.ts knows each of them. Costs nothing at run time.
 */
export interface Brand<Name extends string> {
  readonly [brand]: Name
}
