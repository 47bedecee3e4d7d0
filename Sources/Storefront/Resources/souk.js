// What the pages gain with JavaScript. Everything here also works without it, by links, forms and redirects.
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

// The pages are the same for everybody; what is the visitor's own is asked for here.
async function refreshMe() {
  try {
    const answer = await fetch("/fragments/me", { headers: { accept: "application/json" } });
    if (!answer.ok) return;
    const me = await answer.json();
    const count = $("[data-cart]");
    count.textContent = me.cart > 99 ? "99+" : me.cart ?? "";
    count.hidden = !me.cart;
    count.setAttribute("aria-label", `${me.cart} in the cart`);
    $("[data-name]").textContent = me.name || "Account";
    $("[data-staff]").hidden = !me.staff;
  } catch { /* The links work without the numbers. */ }
}

function toast(text) {
  $(".toast")?.remove();
  const box = document.createElement("div");
  box.className = "toast";
  box.setAttribute("role", "status");
  const link = document.createElement("a");
  link.href = "/cart";
  link.textContent = "View cart";
  document.body.append(box);
  box.append(text, link);
  setTimeout(() => box.remove(), 8000);
}

// Add to cart without leaving the page. Any answer but the redirect to the cart is shown as the page that it is.
function addToCart(form) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = $("[data-buy]", form);
    button.disabled = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (!answer.redirected || new URL(answer.url).pathname !== "/cart") return form.submit();
      await refreshMe();
      toast("Added to your cart");
    } catch { form.submit(); } finally { button.disabled = false; }
  });
}

// Titles that begin with what is being typed, from the same search that the form asks.
function suggest(input) {
  let timer;
  input.addEventListener("input", (event) => {
    clearTimeout(timer);
    const words = input.value.trim();
    if (words.length < 2 || event.inputType === "insertReplacementText") return;
    timer = setTimeout(async () => {
      try {
        const answer = await fetch(`/api/products?${new URLSearchParams({ q: words, limit: 6 })}`);
        if (!answer.ok) return;
        const { items } = await answer.json();
        $("#suggestions").replaceChildren(...items.map((item) => new Option("", item.title)));
      } catch { /* Searching works without suggestions. */ }
    }, 150);
  });
}

// Price, availability and picture follow the choice of a variant.
function variants(root) {
  const source = $("#variants");
  if (!source) return;
  const all = JSON.parse(source.textContent);
  const form = $("form", root);
  const groups = $$("[data-options] fieldset", root);
  const chosen = () => groups.map((group) => $(":checked", group)?.value);
  const find = (values) => all.find((variant) => variant.options.every((value, at) => value === values[at]));
  const show = () => {
    const values = chosen();
    const variant = groups.length ? find(values) : all.find((one) => one.sku === $("[name=sku]:checked", form)?.value);
    groups.forEach((group, at) => {
      $("[data-chosen]", group).textContent = values[at];
      for (const input of $$("input", group)) {
        const other = find(values.with(at, input.value));
        input.closest("label").classList.toggle("gone", !other?.available);
      }
    });
    const stock = $("[data-stock]", root);
    stock.textContent = variant ? variant.stock : "Not offered in this combination";
    stock.className = `stock ${variant ? variant.tone : "bad"}`;
    const button = $("[data-buy]", root);
    button.disabled = !variant?.available;
    button.textContent = variant?.available ? "Add to cart" : variant ? "Sold out" : "Not offered";
    const saving = $("[data-saving]", root);
    if (saving) saving.hidden = !variant?.saving;
    if (!variant) return;
    if (saving) saving.textContent = variant.saving;
    const price = $("[data-price]", root);
    const part = (tag, label, text) => {
      const element = document.createElement(tag);
      const hidden = document.createElement("span");
      hidden.className = "hidden";
      hidden.textContent = label;
      element.append(hidden, text);
      return element;
    };
    price.replaceChildren(...(variant.was
      ? [part("ins", "Now ", variant.price), " ", part("del", "Was ", variant.was)] : [variant.price]));
    const sku = $("[data-sku]");
    if (sku) sku.textContent = variant.sku;
    if (variant.image) showPicture(variant.image, "instant");
  };
  form.addEventListener("change", show);
  show();
}

function showPicture(anchor, behavior = "auto") {
  const picture = document.getElementById(anchor);
  if (picture) picture.parentElement.scrollTo({ left: picture.offsetLeft - picture.parentElement.offsetLeft, behavior });
  for (const link of $$(".thumbs a")) link.toggleAttribute("aria-current", link.hash === `#${anchor}`);
}

// Filters, sorting and quantities take effect when they are changed.
function submitOnChange(form) {
  for (const button of $$("[data-submit]", form)) button.hidden = true;
  const controls = [form, ...$$(`[form="${form.id || "-"}"]`)];
  for (const control of controls) {
    control.addEventListener("change", (event) => {
      if (event.target.checkValidity()) form.requestSubmit();
    });
  }
  form.addEventListener("submit", (event) => {
    if (form.method !== "get") return;
    // Empty fields stay out of the address, so that one list of products has one address.
    event.preventDefault();
    const fields = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
    location.assign(`${form.getAttribute("action")}${fields.size ? "?" : ""}${fields}`);
  });
}

// The next page of results is put below this one; the link stays what it is without JavaScript.
document.addEventListener("click", async (event) => {
  const more = event.target.closest?.("[data-more]");
  const thumb = event.target.closest?.(".thumbs a");
  if (thumb) {
    event.preventDefault();
    showPicture(thumb.hash.slice(1));
  }
  if (!more || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  try {
    const answer = await fetch(more.href);
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const cards = $$("[data-results] > li", page);
    $("[data-results]").append(...cards);
    const next = $("[data-more]", page);
    if (next) more.href = next.href; else more.remove();
    $("a", cards[0])?.focus({ preventScroll: true });
  } catch { location.assign(more.href); }
});

// Shipping methods and sums follow the country, the method and the coupon.
function liveTotals(form) {
  $("[data-update]", form).hidden = true;
  form.addEventListener("change", async (event) => {
    if (!["country", "shipping_method", "coupon"].includes(event.target.name)) return;
    const fields = new URLSearchParams(new FormData(form));
    fields.set("action", "update");
    try {
      const answer = await fetch(form.action, { method: "POST", body: fields });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of $$("[data-part]", page)) $(`[data-part=${part.dataset.part}]`)?.replaceWith(part);
    } catch { /* The sums are worked out again when the order is placed. */ }
  });
}

// A second press on a button that pays is caught here for comfort, and by the idempotency key for certain.
for (const form of $$("[data-once]")) {
  form.addEventListener("submit", () => setTimeout(() => $$("button", form).forEach((one) => (one.disabled = true))));
}
addEventListener("pageshow", () => $$("[data-once] button").forEach((one) => (one.disabled = false)));
for (const form of $$("[data-checkout]")) liveTotals(form);
for (const form of $$("[data-add]")) addToCart(form);
suggest($("#q"));
for (const form of $$("[data-auto]")) submitOnChange(form);
for (const product of $$("[data-product]")) variants(product);
$(".tabs [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest", behavior: "instant" });
$("#problems")?.focus();
refreshMe();
