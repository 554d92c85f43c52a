import { notFound } from "next/navigation";
import { allProducts, findProduct, formatPrice } from "../../../lib/products";

export function generateStaticParams() {
  return allProducts().map((product) => ({ id: product.id }));
}

export default async function ProductPage({ params }: { params: Promise<{ id: string }> }) {
  const product = findProduct((await params).id);
  if (!product) {
    notFound();
  }
  return (
    <main>
      <h1>{product.name}</h1>
      <p>{formatPrice(product.priceCents)}</p>
      <p>{product.stock > 0 ? `${product.stock} in stock` : "Sold out"}</p>
    </main>
  );
}
