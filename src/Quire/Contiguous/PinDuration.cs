namespace Quire;

/// <summary>How long a pin promises to last, and so which rule its holder is held to.</summary>
public enum PinDuration
{
    /// <summary>
    /// For a moment: an access, a copy, a system call. A contiguous allocation that needs the page waits for the pin to end. One that lasts
    /// longer than <see cref="MovablePage.ShortPinBound"/> breaks the rule (<c>FOLL_PIN</c>).
    /// </summary>
    Short,

    /// <summary>For as long as the holder likes: the page is moved out of contiguous areas first, and never moves again while it is pinned (<c>FOLL_LONGTERM</c>).</summary>
    LongTerm,
}
