export type Product = { id: string; name: string; priceCents: number; stock: number };

const products: Product[] = [
  { id: "loaf", name: "Country loaf", priceCents: 450, stock: 12 },
  { id: "rye", name: "Rye with caraway", priceCents: 520, stock: 0 },
  { id: "roll", name: "Seeded roll", priceCents: 90, stock: 40 },
];

/** Everything that is for sale, in the order of the shelf. */
export function allProducts(): Product[] {
  return products;
}

/** The product with this id, or undefined. */
export function findProduct(id: string): Product | undefined {
  return products.find((product) => product.id === id);
}

/** A price as customers read it, such as "$4.50". */
export function formatPrice(priceCents: number): string {
  return `$${(priceCents / 100).toFixed(2)}`;
}
