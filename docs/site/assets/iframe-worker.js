// A page that is opened as a file may start no worker, and search needs one: there a hidden frame stands in for it.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.title = "search";
      document.body.appendChild(this.frame);
      this.listen = (event) => {
        if (event.source === this.frame.contentWindow)
          this.dispatchEvent(new MessageEvent("message", { data: event.data }));
      };
      window.addEventListener("message", this.listen);
      const inner = this.frame.contentDocument;
      inner.open();
      inner.write(`<script>
        window.postMessage = (data) => parent.dispatchEvent(new MessageEvent("message", { data, source: window }));
        window.importScripts = (...urls) => urls.reduce((done, url) => done.then(() => new Promise((resolve) => {
          const script = document.createElement("script");
          script.src = url;
          script.onload = resolve;
          document.body.appendChild(script);
        })), Promise.resolve());
      </scr` + `ipt><script src="${url}"></scr` + `ipt>`);
      inner.close();
      this.waiting = [];
      this.frame.contentWindow.addEventListener("load", () => {
        this.ready = true;
        this.waiting.forEach((data) => this.postMessage(data));
      });
    }
    postMessage(data) {
      if (!this.ready) return void this.waiting.push(data);
      this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
    }
    terminate() {
      window.removeEventListener("message", this.listen);
      this.frame.remove();
    }
  };
}
