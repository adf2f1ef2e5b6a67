using System.Globalization;
using Quire.Samples.MovableCache;

// movable-cache: exit status 0 it all happened, 1 something did not, 2 the call is wrong.
double seconds = 1;
if (args is not [] && !(args is ["--seconds", var text] && double.TryParse(text, CultureInfo.InvariantCulture, out seconds) && seconds is > 0 and <= 3600))
{
    Console.Error.WriteLine("movable-cache: only --seconds N is known, the length of each phase, above 0 and at most 3600.");
    return 2;
}

return new CacheRun(Console.Out, TimeSpan.FromSeconds(seconds)).Run();
