import ProductCard from "../components/ProductCard";
import { allProducts } from "../lib/products";

export default function HomePage() {
  return (
    <main>
      <h1>Mill Bakery</h1>
      {allProducts().map((product) => (
        <ProductCard key={product.id} product={product} />
      ))}
    </main>
  );
}
