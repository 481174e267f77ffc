// Loads pages in tabs, the first in the selected one, and notes when each is there.
//
// arguments: the addresses. `window.cardea.tabs` gets, for each, null or the address the tab ended at, or the error as nsresult.
const [addresses, done] = arguments;

const { STATE_STOP, STATE_IS_NETWORK } = Ci.nsIWebProgressListener;

const watch = (browser, index) => {
  const listener = {
    QueryInterface: ChromeUtils.generateQI(["nsIWebProgressListener", "nsISupportsWeakReference"]),
    onStateChange(progress, request, flags, status) {
      const ours = request instanceof Ci.nsIChannel && !request.originalURI.spec.startsWith("about:blank");
      if (progress.isTopLevel && ours && flags & STATE_STOP && flags & STATE_IS_NETWORK) {
        const failed = status ? `error ${status.toString(16)}` : null;
        window.cardea.tabs[index] = failed ?? browser.documentURI.spec;
        browser.removeProgressListener(listener);
      }
    },
  };
  // the browser keeps weak references to its listeners
  window.cardea.listeners.push(listener);
  browser.addProgressListener(listener, Ci.nsIWebProgress.NOTIFY_STATE_ALL);
};

Object.assign(window.cardea, { tabs: addresses.map(() => null), listeners: [] });
const triggeringPrincipal = Services.scriptSecurityManager.getSystemPrincipal();
addresses.forEach((address, index) => {
  const tab = index === 0 ? gBrowser.selectedTab : gBrowser.addTab("about:blank", { triggeringPrincipal });
  watch(tab.linkedBrowser, index);
  tab.linkedBrowser.fixupAndLoadURIString(address, { triggeringPrincipal });
});
done(true);
