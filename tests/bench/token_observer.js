// Notes when each numbered token (t1 t2 t3 ...) is first in the page.
(() => {
  const TAIL = 200; // characters; the newest token stands at the end of whatever changed
  window.tokenTimes = [];
  window.newestAt = Date.now();

  const newestIn = (text) => {
    let newest = 0;
    for (const [, number] of text.slice(-TAIL).matchAll(/\bt(\d+)\b/g)) {
      newest = Math.max(newest, Number(number));
    }
    return newest;
  };

  new MutationObserver((changes) => {
    const now = Date.now();
    let newest = 0;
    for (const { type, target, addedNodes } of changes) {
      const nodes = type === "characterData" ? [target] : addedNodes;
      for (const node of nodes) {
        newest = Math.max(newest, newestIn(node.textContent ?? ""));
      }
    }
    while (window.tokenTimes.length < newest) {
      window.tokenTimes.push(now);
      window.newestAt = now;
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });
})();
