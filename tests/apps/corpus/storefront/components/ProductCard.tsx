import Link from "next/link";
import { formatPrice, type Product } from "../lib/products";

export default function ProductCard({ product }: { product: Product }) {
  return (
    <article>
      <h2>
        <Link href={`/products/${product.id}`}>{product.name}</Link>
      </h2>
      <p>{formatPrice(product.priceCents)}</p>
      {product.stock === 0 ? <p>Sold out</p> : null}
    </article>
  );
}
