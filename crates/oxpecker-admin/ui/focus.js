// Where the focus goes when what had it is gone: to another button of the same member, or to the
// view; never to nowhere, where a keyboard would begin at the top again.

export function focusNear(gone) {
  const { pool, member } = gone.dataset;
  const near = member && [...document.querySelectorAll("button[data-member]")]
    .find((button) => button.dataset.member === member && button.dataset.pool === pool);
  (near || document.getElementById("view")).focus({ preventScroll: true });
}
