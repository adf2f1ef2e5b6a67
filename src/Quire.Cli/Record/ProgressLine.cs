namespace Quire.Cli.Record;

/// <summary>Says how far the work is, on the standard error and in one line that is written over; nothing where that is no terminal.</summary>
internal sealed class ProgressLine : IDisposable
{
    private int _length;

    internal void Show(string text)
    {
        if (!Console.IsErrorRedirected)
        {
            Console.Error.Write($"\r{text.PadRight(_length)}");
            _length = text.Length;
        }
    }

    public void Dispose()
    {
        if (_length > 0)
        {
            Console.Error.Write($"\r{new string(' ', _length)}\r");
        }
    }
}
