namespace Quire.Cli.Demo;

/// <summary>The villain of the demo: it pins a page to look at it, and forgets the pin. What it does wrong is what real code does: it keeps a "short" pin in a field.</summary>
internal sealed class ForgetfulAuditor
{
    private PagePin? _forgotten;

    /// <summary>Looks at a page, and never ends its pin.</summary>
    internal int Audit(MovablePage page)
    {
        PagePin pin = page.Pin();
        _forgotten = pin;
        return pin.Span.IndexOfAnyExcept((byte)0);
    }

    /// <summary>Remembers.</summary>
    internal void LetGo()
    {
        _forgotten?.Unpin();
        _forgotten = null;
    }
}
