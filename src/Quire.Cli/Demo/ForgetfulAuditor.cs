namespace Quire.Cli.Demo;

/// <summary>
/// The villain of the demo, on a thread of its own: it takes a short pin to look at a page, keeps it in a field, and forgets it
/// until it is told. Real code does just that.
/// </summary>
internal sealed class ForgetfulAuditor : IDisposable
{
    private readonly ManualResetEventSlim _audited = new();
    private readonly ManualResetEventSlim _reminded = new();
    private readonly Thread _thread;
    private PagePin _forgotten;

    internal ForgetfulAuditor(MovablePage page)
    {
        _thread = new Thread(() =>
        {
            Audit(page);
            _audited.Set();
            _reminded.Wait();
            _forgotten.Unpin();
        })
        {
            Name = "auditor",
            IsBackground = true,
        };
        _thread.Start();
        _audited.Wait();
    }

    /// <summary>Reminds it of its pin, and waits until that has ended.</summary>
    internal void LetGo()
    {
        _reminded.Set();
        _thread.Join();
    }

    public void Dispose()
    {
        LetGo();
        _audited.Dispose();
        _reminded.Dispose();
    }

    /// <summary>Looks at a page, and does not end its pin.</summary>
    private void Audit(MovablePage page)
    {
        PagePin pin = page.Pin();
        _forgotten = pin;
        pin.Span.Count((byte)0);
    }
}
