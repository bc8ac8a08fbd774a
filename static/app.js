// When the server does not answer, htmx says nothing. Say it where it is seen and heard; what was typed stays.
document.addEventListener("htmx:error", function () {
  var place = document.getElementById("failure");
  if (!place) return;
  place.innerHTML =
    '<section class="flash warn mt-s" tabindex="-1" aria-labelledby="h-failure"><h2 id="h-failure" class="h-s">LifeOps did not answer</h2>' +
    "<p>It is not certain that this was saved. Your words are still here: send them again in a minute. They cannot be saved twice.</p></section>";
  place.firstChild.focus();
});

// A form that brings files is sent by the browser itself, which shows how far it is and waits as long as it takes.
document.addEventListener("submit", function (event) {
  var inputs = event.target.querySelectorAll("input[type=file], input[name=kept]:checked");
  for (var n = 0; n < inputs.length; n++) {
    if (inputs[n].files && inputs[n].files.length === 0) continue;
    event.stopImmediatePropagation();
    document.getElementById("status").textContent = "Sending the files. The next page comes when they are there.";
    return;
  }
}, true);
