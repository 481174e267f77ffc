// Answers Firefox's dialogs for PINs and certificates, and remembers what they said.
//
// A PIN is asked for in an event loop of its own, in which no command of the remote control gets through: so the
// browser answers for itself, as soon as a dialog has loaded.
//
// arguments: PINs in the order in which they are typed (null presses Cancel, as does the end of the list); a part of
// the wanted certificate's subject, or null for no certificate; the directory for screenshots, or null.
const [pins, certificate, directory, done] = arguments;

const picture = async view => {
  if (!directory) {
    return;
  }
  const { innerWidth: width, innerHeight: height } = view;
  const bitmap = await view.browsingContext.currentWindowGlobal.drawSnapshot(
    new DOMRect(0, 0, Math.max(width, 400), Math.max(height, 150)), 1, "rgb(255, 255, 255)");
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/png" });
  const number = String(window.cardea.seen.length).padStart(2, "0");
  await IOUtils.write(PathUtils.join(directory, `dialog-${number}.png`), new Uint8Array(await blob.arrayBuffer()));
};

const answerPin = view => {
  const dialog = view.document.getElementById("commonDialog");
  const box = view.document.getElementById("password1Textbox");
  window.cardea.seen.push({ kind: "pin", text: view.document.getElementById("infoBody").textContent });
  const pin = window.cardea.pins.shift();
  if (pin === undefined || pin === null) {
    dialog.cancelDialog();
    return;
  }
  box.value = pin;
  box.dispatchEvent(new view.Event("input", { bubbles: true }));
  dialog.acceptDialog();
};

const answerCertificate = view => {
  const dialog = view.document.getElementById("certAuthAsk");
  const list = view.document.getElementById("nicknames");
  const subjects = [];
  for (let index = 0; index < list.itemCount; index++) {
    list.selectedIndex = index;
    subjects.push(view.certArray ? view.certArray[index].subjectName : view.eval("certArray")[index].subjectName);
  }
  window.cardea.seen.push({ kind: "certificate", subjects });
  const wanted = window.cardea.certificate;
  const index = wanted === null ? -1 : subjects.findIndex(subject => subject.includes(wanted));
  if (index < 0) {
    dialog.cancelDialog();
    return;
  }
  list.selectedIndex = index;
  dialog.acceptDialog();
};

const answer = async (view, reply) => {
  try {
    await picture(view);
  } catch (error) {
    window.cardea.errors.push(`picture: ${error}`);
  }
  try {
    reply(view);
  } catch (error) {
    window.cardea.errors.push(`${error}`);
    view.close();
  }
};

if (!window.cardea) {
  window.cardea = { seen: [], errors: [] };
  Services.obs.addObserver(view => answer(view, answerPin), "common-dialog-loaded");
  Services.obs.addObserver(dialog => answer(dialog.ownerDocument.defaultView, answerCertificate), "cert-dialog-loaded");
}
Object.assign(window.cardea, { pins, certificate, seen: [], errors: [] });
done(true);
