import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import HomePage from "../app/page";
import { allProducts, findProduct, formatPrice } from "../lib/products";

test("a product is found by its id", () => {
  expect(findProduct("rye")?.name).toBe("Rye with caraway");
  expect(findProduct("cake")).toBeUndefined();
});

test("prices are in dollars", () => {
  expect(formatPrice(450)).toBe("$4.50");
});

test("the first page shows every product and what is sold out", () => {
  render(<HomePage />);
  expect(screen.getAllByRole("article")).toHaveLength(allProducts().length);
  expect(screen.getAllByText("Sold out")).toHaveLength(1);
});
